export { fairness } from "../en/fairness";
