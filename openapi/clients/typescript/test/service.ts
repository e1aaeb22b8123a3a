// Starts `homeroom dev` for the tests: a private PostgreSQL in a folder that goes when they end.
import { execFileSync, spawn } from "node:child_process";
import dns from "node:dns";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

// Names that end in localhost are this machine (RFC 6761), which not every resolver knows.
const lookup = dns.lookup;
dns.lookup = ((host: string, ...rest: [never, never]) =>
  lookup(host.endsWith(".localhost") ? "127.0.0.1" : host, ...rest)) as typeof dns.lookup;

export const account = { email: "ada@example.org", password: "a walk along the river" };

export interface Service {
  url: string;
  stop(): Promise<void>;
}

/** Starts the program that HOMEROOM_BIN names, waits until it serves, and makes the account an owner's. */
export async function startService(): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), "homeroom-client-"));
  await chmod(folder, 0o755); // under root, PostgreSQL runs as another account
  const ready = join(folder, "ready.json");
  const data = join(folder, "data");
  const homeroom = process.env.HOMEROOM_BIN ?? "../../../bin/homeroom";
  const program = spawn(
    homeroom,
    ["dev", "--listen", "127.0.0.1:0", "--data-dir", data, "--ready-file", ready],
    { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, HOMEROOM_LOG_LEVEL: "error" } },
  );
  const ended = once(program, "exit");
  const stop = async () => {
    program.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await setTimeout(50)) {
    if (program.exitCode !== null) {
      throw new Error(`homeroom dev ended with ${program.exitCode}`);
    }
    const text = await readFile(ready, "utf8").catch(() => undefined);
    if (text) {
      const owner = ["--email", account.email, "--name", "Ada Lovelace", "--role", "owner"];
      execFileSync(homeroom, ["operator", "create", "--data-dir", data, ...owner], { input: account.password });
      return { ...(JSON.parse(text) as Omit<Service, "stop">), stop };
    }
  }
  await stop();
  throw new Error("homeroom dev was not ready within a minute");
}
