export { verify } from "../en/verify";
