# Arguments: the file that answers a user, the folder of the socket, the command of the server.
# Descriptor 3 is the lock that says the server runs, 4 the FIFO that every user holds open.
attached=$1 socket=$2
shift 2
"$@" </dev/null 4<&- &
server=$!
{
	while read -r _; do : >"$attached"; done
	# The last user is gone. No one may join from here on: without a reader the FIFO can't be opened.
	exec </dev/null
	trap 'kill "$pause"; exit' TERM
	# Repeated, for a server that has only just been started ignores the first.
	for signal in INT INT INT INT INT INT INT INT INT INT INT INT INT INT INT QUIT QUIT QUIT QUIT QUIT KILL; do
		kill -s "$signal" "$server" || break
		sleep 1 &
		pause=$!
		wait "$pause"
	done
} <&4 3<&- 4<&- 2>/dev/null &
users=$!
exec 4<&-
wait "$server"
kill "$users" 2>/dev/null
wait "$users"
rmdir "$socket" 2>/dev/null
