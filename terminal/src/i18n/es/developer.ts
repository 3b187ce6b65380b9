export { developer } from "../en/developer";
