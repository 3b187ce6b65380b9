export { symbols } from "../en/symbols";
