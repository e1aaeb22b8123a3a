// The tenant API: a function and the types of each operation, and createClient.
export * from "./generated/tenant/index.js";
export { type Client, createClient } from "./generated/tenant/client/index.js";
