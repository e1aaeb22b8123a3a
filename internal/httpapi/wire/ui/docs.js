// Swagger UI's filter looks at tags alone. This one takes every word of what somebody types to be in an
// operation's method, path, summary, id or tag.
function search(tags, phrase) {
  const words = phrase.toLowerCase().split(/\s+/);
  return tags
    .map((tag, name) =>
      tag.update("operations", (operations) =>
        operations.filter((entry) => {
          const told = ["summary", "operationId"].map((key) => entry.getIn(["operation", key]));
          const text = [name, entry.get("method"), entry.get("path"), ...told].join(" ").toLowerCase();
          return words.every((word) => text.includes(word));
        }),
      ),
    )
    .filter((tag) => tag.get("operations").size > 0);
}

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  persistAuthorization: true,
  plugins: [{ fn: { opsFilter: search } }],
  showExtensions: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  onComplete: () => {
    document.querySelector(".operation-filter-input").placeholder = "Search: schools, post domains, purge ...";
  },
});
