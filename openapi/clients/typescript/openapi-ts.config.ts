import { defineConfig } from "@hey-api/openapi-ts";

export default defineConfig(
  ["system", "tenant"].map((api) => ({
    input: `../../${api}.yaml`,
    output: { path: `src/generated/${api}`, importFileExtension: ".js" },
    plugins: [
      // The documents are served by the host they describe, so they name none.
      { name: "@hey-api/client-fetch", baseUrl: false },
      "@hey-api/typescript",
      "@hey-api/sdk",
    ],
  })),
);
