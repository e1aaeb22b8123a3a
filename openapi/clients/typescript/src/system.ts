// The system API: a function and the types of each operation, and createClient.
export * from "./generated/system/index.js";
export { type Client, createClient } from "./generated/system/client/index.js";
