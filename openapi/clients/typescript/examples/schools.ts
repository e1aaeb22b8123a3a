// HOMEROOM_URL=http://localhost:8080 HOMEROOM_KEY=$(cat .homeroom/system.key) node dist/examples/schools.js
import { isProblem, items } from "@homeroom/client";
import { createClient, createSchool, listSchools, updateSchool } from "@homeroom/client/system";

const client = createClient({
  baseUrl: process.env.HOMEROOM_URL ?? "http://localhost:8080",
  auth: process.env.HOMEROOM_KEY ?? "",
});

// A call answers with data, or with an error of the type Problem: what is wrong, and where in the input.
const created = await createSchool({ client, body: { name: "Elm Street School", code: "elm" } });
if (created.data) {
  console.log(`${created.data.name} is served on ${created.data.domains[0]?.domain}`);
} else if (isProblem(created.error, "conflict")) {
  console.log(`It is there already: ${created.error.detail}`);
} else {
  throw created.error;
}

// A list, however many pages it has.
for await (const school of items(listSchools, { client, query: { sort: "name", is_active: true } })) {
  console.log(school.code, school.state);
}

// A change of what we have seen, and of nothing newer.
if (created.data) {
  const etag = created.response?.headers.get("ETag") ?? "";
  const { error } = await updateSchool({
    client,
    path: { id: created.data.id },
    headers: { "If-Match": etag },
    body: { name: "Elm Street Primary School" },
  });
  if (isProblem(error, "precondition-failed")) {
    console.log("Somebody else was faster: fetch it again.");
  } else if (error) {
    throw error;
  }
}
