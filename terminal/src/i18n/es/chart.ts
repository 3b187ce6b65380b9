export { chart } from "../en/chart";
