// The system API: a function and the types of each operation, createClient, and follow.
export * from "./generated/system/index.js";
export { type Client, createClient } from "./generated/system/client/index.js";
export { follow } from "./follow.js";
