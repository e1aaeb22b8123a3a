import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { isProblem, items } from "@homeroom/client";
import * as system from "@homeroom/client/system";
import * as tenant from "@homeroom/client/tenant";

import { type Service, startService } from "./service.js";

let service: Service;
let client: system.Client;

before(async () => {
  service = await startService();
  client = system.createClient({ baseUrl: service.url, auth: service.system_key });
});
after(() => service?.stop());

async function create(code: string): Promise<{ school: system.School; etag: string }> {
  const { data, response } = await system.createSchool({
    client,
    throwOnError: true,
    body: { name: `School ${code}`, code, domains: [{ domain: `${code}.example.org`, is_primary: true }, `${code}.test`] },
  });
  return { school: data, etag: response.headers.get("ETag") ?? "" };
}

test("a school with two domains is made and found", async () => {
  const { school } = await create("elm");
  assert.equal(school.state, "ready");
  assert.deepEqual(
    school.domains.map((d) => [d.domain, d.is_primary]),
    [["elm.example.org", true], ["elm.test", false]],
  );
  const { data } = await system.getSchool({ client, path: { id: school.id } });
  assert.deepEqual(data, school);
});

test("a list goes on over all pages", async () => {
  const codes = [];
  for await (const school of items(system.listSchools, { client, query: { limit: 1, sort: "code" } })) {
    codes.push(school.code);
  }
  assert.ok(codes.length > 2, codes.join());
  assert.deepEqual(codes, [...new Set(codes)].sort());
  // @ts-expect-error: a query that the operation does not know
  const refused = items(system.listSchools, { client, query: { colour: "red" } });
  await assert.rejects(refused.next(), (error) => isProblem(error, "invalid-input"));
});

test("a stale ETag is a typed 412", async () => {
  const { school, etag } = await create("oak");
  const change = { client, path: { id: school.id }, headers: { "If-Match": etag } };
  const first = await system.updateSchool({ ...change, body: { name: "Oak School" } });
  assert.equal(first.data?.name, "Oak School");
  const { error, response } = await system.updateSchool({ ...change, body: { name: "Too late" } });
  assert.equal(response?.status, 412);
  assert.ok(isProblem(error, "precondition-failed"));
  assert.equal(error.status, 412);
});

test("what is wrong with the input is said where it is", async () => {
  const { error } = await system.createSchool({ client, body: { name: "", code: "No Good" } });
  assert.ok(isProblem(error, "invalid-input"));
  assert.deepEqual(error.errors?.map((e) => e.location), ["body.code", "body.name"]);
  assert.ok(!isProblem(error, "conflict"));
});

test("a failed connection is no problem of the service", async () => {
  const { error } = await system.listSchools({ client, baseUrl: "http://127.0.0.1:1" });
  assert.ok(error && !isProblem(error));
});

test("a school's life", async () => {
  const { school } = await create("ash");
  const at = { client, path: { id: school.id } };
  const suspended = await system.updateSchool({ ...at, body: { is_active: false } });
  assert.equal(suspended.data?.is_active, false);
  assert.equal((await system.deleteSchool(at)).response?.status, 204);
  assert.equal((await system.getSchool(at)).data?.state, "deleted");
  assert.equal((await system.restoreSchool(at)).data?.state, "ready");
  await system.deleteSchool(at);
  const wrong = await system.purgeSchool({ ...at, body: { confirm: "oak" } });
  assert.ok(isProblem(wrong.error, "invalid-input"));
  assert.equal((await system.purgeSchool({ ...at, body: { confirm: "ash" } })).response?.status, 204);
  assert.ok(isProblem((await system.getSchool(at)).error, "not-found"));
});

test("the tenant API takes a token of its school", async () => {
  const { data: page } = await system.listSchools({ client, throwOnError: true, query: { search: "greenwood" } });
  const id = page.items[0]?.id ?? "";
  const { data } = await system.impersonateSchool({ client, throwOnError: true, path: { id }, body: { reason: "a test" } });
  const school = tenant.createClient({
    baseUrl: service.url.replace("127.0.0.1", "greenwood.localhost"),
    auth: data.access_token,
  });
  const { data: student } = await tenant.createStudent({
    client: school,
    throwOnError: true,
    body: { admission_number: "C-1", first_name: "Ada", last_name: "Lovelace", date_of_birth: "2014-03-28" },
  });
  const found = [];
  for await (const one of items(tenant.listStudents, { client: school, query: { search: "Lovelace", limit: 1 } })) {
    found.push(one.id);
  }
  assert.deepEqual(found, [student.id]);
});
