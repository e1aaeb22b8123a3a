// HOMEROOM_EMAIL=ada@example.org HOMEROOM_PASSWORD=... node dist/examples/schools.js
import { isProblem, items } from "@homeroom/client";
import { createClient, createSchool, listSchools, login } from "@homeroom/client/system";

const client = createClient({ baseUrl: process.env.HOMEROOM_URL ?? "http://localhost:8080" });

const { HOMEROOM_EMAIL: email = "", HOMEROOM_PASSWORD: password = "" } = process.env;
const { data: tokens } = await login({ client, throwOnError: true, body: { email, password } });
client.setConfig({ auth: tokens.access_token });

// A call answers with data, or with an error of the type Problem: what is wrong, and where in the input.
const { data: school, error } = await createSchool({ client, body: { name: "Elm Street School", code: "elm-street" } });
if (school) {
  console.log(`${school.name} is served on ${school.domains[0]?.domain}`);
} else if (isProblem(error, "conflict")) {
  console.log(`It is there already: ${error.detail}`);
} else {
  throw error;
}

// A list, however many pages it has.
for await (const { code, state } of items(listSchools, { client, query: { sort: "name", is_active: true } })) {
  console.log(code, state);
}
