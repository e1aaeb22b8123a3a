import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";

import { isProblem, items } from "@homeroom/client";
import * as system from "@homeroom/client/system";
import * as tenant from "@homeroom/client/tenant";

import { account, type Service, startService } from "./service.js";

let service: Service;
let client: system.Client; // the owner's, who has logged in

before(async () => {
  service = await startService();
  client = connect((await logIn()).access_token);
});
after(() => service?.stop());

const connect = (auth?: string) => system.createClient({ baseUrl: service.url, auth });

async function logIn(): Promise<system.Tokens> {
  return (await system.login({ client: connect(), throwOnError: true, body: account })).data;
}

/** Makes a school with two domains, CODE.localhost and CODE.test, and an admin. */
async function create(code: string): Promise<{ school: system.NewSchool; etag: string }> {
  const { data, response } = await system.createSchool({
    client,
    throwOnError: true,
    body: {
      name: `School ${code}`,
      code,
      domains: [`${code}.test`, { domain: `${code}.localhost`, is_primary: true }],
      admin: { email: `head@${code}.test`, full_name: "Grace Okafor" },
    },
  });
  return { school: data, etag: response.headers.get("ETag") ?? "" };
}

/** Accepts the invitation to a school that was just made, and speaks to its API. */
async function admin(school: system.NewSchool): Promise<tenant.Client> {
  const tenantClient = tenant.createClient({ baseUrl: service.url.replace("127.0.0.1", `${school.code}.localhost`) });
  const invite = { token: school.admin_invite ?? "", password: account.password };
  const { data } = await tenant.acceptInvite({ client: tenantClient, throwOnError: true, body: invite });
  const again = await tenant.acceptInvite({ client: tenantClient, body: invite });
  assert.ok(isProblem(again.error, "invalid-input"));
  tenantClient.setConfig({ auth: data.access_token });
  return tenantClient;
}

test("an operator logs in, and stays so with tokens that are good once", async () => {
  const wrong = await system.login({ client: connect(), body: { ...account, password: "a walk along the road" } });
  assert.ok(isProblem(wrong.error, "unauthenticated"));
  assert.equal(wrong.error.status, 401);
  const first = await logIn();
  const refresh = ({ refresh_token }: system.Tokens) => system.refreshTokens({ client: connect(), body: { refresh_token } });
  const { data: second } = await refresh(first);
  assert.ok(second);
  const { data: me } = await system.getMe({ client: connect(second.access_token) });
  assert.deepEqual([me?.kind, me?.email, me?.role], ["operator", account.email, "owner"]);
  // One that comes again ends all that grew from its login.
  for (const tokens of [first, second]) {
    assert.ok(isProblem((await refresh(tokens)).error, "unauthenticated"));
  }
});

test("a program has an API key, until it is revoked", async () => {
  const { data: key } = await system.createApiKey({ client, throwOnError: true, body: { name: "billing", role: "operator", scopes: ["schools:read"] } });
  const program = connect(key.token);
  const { data: me } = await system.getMe({ client: program });
  assert.deepEqual([me?.kind, me?.id, me?.email, me?.scopes], ["api-key", key.id, null, ["schools:read"]]);
  const denied = await system.createSchool({ client: program, body: { name: "Key School", code: "key" } });
  assert.ok(isProblem(denied.error, "forbidden"));
  assert.equal((await system.revokeApiKey({ client, path: { id: key.id } })).response?.status, 204);
  assert.ok(isProblem((await system.getMe({ client: program })).error, "unauthenticated"));
});

test("a school with two domains is made and found", async () => {
  const { school } = await create("elm");
  const { admin_invite, ...rest } = school;
  assert.equal(school.state, "ready");
  assert.match(admin_invite ?? "", /^hri_/);
  assert.deepEqual(Object.fromEntries(school.domains.map((d) => [d.domain, d.is_primary])), { "elm.localhost": true, "elm.test": false });
  const { data } = await system.getSchool({ client, path: { id: school.id } });
  assert.deepEqual(data, rest);
});

test("a list goes on over all pages", async () => {
  await create("fir");
  const codes = [];
  for await (const school of items(system.listSchools, { client, query: { limit: 1, sort: "code" } })) {
    codes.push(school.code);
  }
  const { data: whole } = await system.listSchools({ client, throwOnError: true, query: { limit: 200, sort: "code" } });
  assert.ok(codes.includes("fir") && codes.length > 2, codes.join());
  assert.deepEqual(codes, whole.items.map((school) => school.code));
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

test("what is wrong is a typed problem", async () => {
  const { error: invalid } = await system.createSchool({ client, body: { name: "", code: "No Good" } });
  assert.ok(isProblem(invalid, "invalid-input"));
  assert.deepEqual(invalid.errors?.map((e) => e.location), ["body.code", "body.name"]);
  assert.ok(!isProblem(invalid, "conflict"));
  await create("yew");
  const { error: conflict } = await system.createSchool({ client, body: { name: "Another", code: "yew" } });
  assert.ok(isProblem(conflict, "conflict"));
  assert.equal(conflict.status, 409);
  const { error: missing } = await system.getSchool({ client, path: { id: "00000000-0000-0000-0000-000000000000" } });
  assert.ok(isProblem(missing, "not-found"));
  assert.equal(missing.status, 404);
  // @ts-expect-error: not one of a problem's properties
  assert.equal(missing.colour, undefined);
  // @ts-expect-error: no problem has this code
  assert.ok(!isProblem(invalid as unknown, "not-there"));
});

test("a failed connection is no problem of the service", async () => {
  const { error } = await system.listSchools({ client, baseUrl: "http://127.0.0.1:1" });
  assert.ok(error && !isProblem(error));
});

test("an invited admin keeps a school's records", async () => {
  const school = await admin((await create("ivy")).school);
  const { data: me } = await tenant.getMe({ client: school });
  assert.deepEqual([me?.role, me?.email], ["admin", "head@ivy.test"]);
  const student = { first_name: "Ada", last_name: "Lovelace", date_of_birth: "2014-03-28" };
  const made = [];
  for (const admission_number of ["0", "1", "2", "3", "4"]) {
    const { data } = await tenant.createStudent({ client: school, throwOnError: true, body: { ...student, admission_number } });
    assert.deepEqual([data.date_of_birth, data.email], ["2014-03-28", null]);
    made.push(data.id);
  }
  const seen = [];
  for await (const one of items(tenant.listStudents, { client: school, query: { limit: 2, sort: "admission_number" } })) {
    seen.push(one.id);
  }
  assert.deepEqual(seen, made);
  const twice = await tenant.createStudent({ client: school, body: { ...student, admission_number: "0" } });
  assert.ok(isProblem(twice.error, "conflict"));
});

test("an admin whose invitation was lost is invited again", async () => {
  const { school } = await create("asp");
  const reason = "the invitation was lost";
  const { data: acting } = await system.impersonateSchool({ client, throwOnError: true, path: { id: school.id }, body: { reason } });
  const baseUrl = service.url.replace("127.0.0.1", "asp.localhost");
  const acts = tenant.createClient({ baseUrl, auth: acting.access_token });
  const { data: found } = await tenant.listUsers({ client: acts, throwOnError: true, query: { search: "head@asp.test" } });
  const path = { id: found.items[0]?.id ?? "" };
  const { data: again } = await tenant.inviteUser({ client: acts, throwOnError: true, path });
  const lost = { token: school.admin_invite ?? "", password: account.password };
  assert.ok(isProblem((await tenant.acceptInvite({ client: acts, body: lost })).error, "invalid-input"));
  await admin({ ...school, admin_invite: again.invite });
  assert.equal((await tenant.getUser({ client: acts, path })).data?.has_password, true);
});

test("a school's life", async () => {
  const { school } = await create("ash");
  const at = { client, path: { id: school.id } };
  const tenantClient = await admin(school);
  const served = async (code?: tenant.Problem["code"]) => {
    const { data, error } = await tenant.getSchool({ client: tenantClient });
    assert.equal(isProblem(error) ? error.code : data?.code, code ?? "ash");
  };
  const activate = async (is_active: boolean) => {
    assert.equal((await system.updateSchool({ ...at, body: { is_active } })).data?.is_active, is_active);
  };
  await served();
  await activate(false);
  await served("school-inactive");
  await activate(true);
  await served();
  assert.equal((await system.deleteSchool(at)).response?.status, 204);
  await served("unknown-host");
  assert.equal((await system.getSchool(at)).data?.state, "deleted");
  assert.equal((await system.restoreSchool(at)).data?.state, "ready");
  await served();
  await system.deleteSchool(at);
  const wrong = await system.purgeSchool({ ...at, body: { confirm: "oak" } });
  assert.ok(isProblem(wrong.error, "invalid-input"));
  assert.equal(wrong.error.errors?.[0]?.location, "body.confirm");
  assert.equal((await system.purgeSchool({ ...at, body: { confirm: "ash" } })).response?.status, 204);
  assert.ok(isProblem((await system.getSchool(at)).error, "not-found"));
});

test("an operation is followed to its end", async () => {
  const { school } = await create("sloe");
  const at = { client, path: { id: school.id } };
  await system.deleteSchool(at);
  const accepted = await system.purgeSchool({ ...at, throwOnError: true, headers: { Prefer: "respond-async" }, body: { confirm: "sloe" } });
  assert.equal(accepted.response.status, 202);
  assert.ok(accepted.data);
  const path = { id: accepted.data.id };
  const seen: system.Operation[] = [];
  for await (const operation of system.follow({ client, path })) {
    seen.push(operation);
  }
  const last = seen.at(-1);
  assert.deepEqual([last?.id, last?.state, last?.progress], [path.id, "succeeded", 100]);
  assert.ok(seen.slice(0, -1).every((operation) => operation.finished_at === null));
  assert.ok(isProblem((await system.getSchool(at)).error, "not-found"));
  await assert.rejects(system.follow({ client, path: at.path }).next(), (error) => isProblem(error, "not-found"));

  let streams = 0;
  const breaking: typeof fetch = async (input, init) =>
    new Request(input, init).url.endsWith("/events/") && ++streams === 1 ? new Response("retry: 1000\n\n") : fetch(input, init);
  const again = await system.follow({ client: system.createClient({ ...client.getConfig(), fetch: breaking }), path }).next();
  assert.deepEqual([again.value, streams], [last, 2]);
});

test("the example does what it says", () => {
  const env = { ...process.env, HOMEROOM_URL: service.url, HOMEROOM_EMAIL: account.email, HOMEROOM_PASSWORD: account.password };
  const run = () => execFileSync(process.execPath, ["dist/examples/schools.js"], { env, encoding: "utf8" });
  assert.match(run(), /^Elm Street School is served on elm-street\.localhost\nelm-street ready\n/);
  assert.match(run(), /^It is there already: .+\nelm-street ready\n/);
});
