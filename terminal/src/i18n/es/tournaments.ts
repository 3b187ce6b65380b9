export { tournaments } from "../en/tournaments";
