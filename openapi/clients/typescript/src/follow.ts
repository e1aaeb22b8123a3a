import { getOperation, type Operation, type Options, watchOperation, type WatchOperationData } from "./generated/system/index.js";

/**
 * An operation as it is now and whenever it changes, until it has ended. Where a stream breaks off it comes
 * back; it throws why there is none: a problem, or why there was no answer.
 *
 *     for await (const { progress, state } of follow({ client, path: { id } })) { ... }
 */
export async function* follow(options: Pick<Options<WatchOperationData>, "client" | "path">): AsyncGenerator<Operation, void, undefined> {
  const left = new AbortController();
  try {
    for (;;) {
      const { stream } = await watchOperation({ ...options, signal: left.signal, sseMaxRetryAttempts: 1 });
      for await (const operation of stream) {
        if (operation) {
          yield operation;
          if (operation.finished_at) {
            return;
          }
        }
      }
      await getOperation({ ...options, throwOnError: true }); // the stream does not say why it ended
      await new Promise((comeBack) => setTimeout(comeBack, 1000));
    }
  } finally {
    left.abort();
  }
}
