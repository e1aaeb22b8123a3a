// What both clients share: problems and lists.
import type { Problem } from "./system.js";

export type { Problem, ProblemField } from "./system.js";

/** Whether an error is an answer of the service, of the given code if one is given, and not a failed connection. */
export function isProblem<Code extends Problem["code"]>(error: unknown, code?: Code): error is Problem & { code: Code } {
  if (typeof error !== "object" || error === null || !("code" in error) || !("type" in error)) {
    return false;
  }
  return error.type === `urn:homeroom:problem:${error.code}` && (code === undefined || error.code === code);
}

interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

type Operation = (options: never) => PromiseLike<unknown>;

/** The item of the pages that a list operation answers with. */
type ItemOf<List extends Operation> =
  ReturnType<List> extends infer Answer ? (Awaited<Answer> extends { data?: infer Data } ? (Data extends Page<infer Item> ? Item : never) : never) : never;

/**
 * Every item of a list, fetched page by page. It throws what the operation does: a problem, or why there
 * was no answer.
 *
 *     for await (const school of items(listSchools, { client, query: { search: "elm" } })) { ... }
 */
export async function* items<List extends Operation>(
  list: List,
  options: NonNullable<Parameters<List>[0]>,
): AsyncGenerator<ItemOf<List>, void, undefined> {
  const fetchPage = list as unknown as (options: object) => Promise<{ data: Page<ItemOf<List>> }>;
  const asked: { query?: object } = options;
  let cursor: string | null | undefined;
  do {
    const query = cursor ? { ...asked.query, cursor } : asked.query;
    const { data } = await fetchPage({ ...asked, query, throwOnError: true });
    yield* data.items;
    cursor = data.next_cursor;
  } while (cursor);
}
