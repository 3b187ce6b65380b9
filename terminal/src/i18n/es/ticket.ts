export { ticket } from "../en/ticket";
