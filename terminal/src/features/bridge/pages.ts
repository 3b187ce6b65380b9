import type { RouteComponent, RouteRecordRaw } from "vue-router";
import type { Part } from "./parts";

/** The bridge comes in one piece when it is first wanted: what every visit loads holds no more of it than these addresses. */
const part = (name: Part) => async (): Promise<RouteComponent> => (await import("./parts")).bridgePart(name);

/** The bridge within the developer's pages. */
export const bridgeRoutes: RouteRecordRaw = {
  path: "bridge",
  component: part("frame"),
  children: [
    { path: "", name: "bridge", component: part("installations") },
    { path: "installations/:id", name: "bridge-installation", component: part("installation") },
    { path: "signals", name: "bridge-signals", component: part("signals") },
    { path: "signals/:event", name: "bridge-signal", component: part("signal") },
    { path: "attribution", name: "bridge-attribution", component: part("attribution") },
    { path: "symbols", name: "bridge-symbols", component: part("symbols") },
    { path: "hooks", name: "bridge-hooks", component: part("hooks") },
    { path: "alerts", name: "bridge-alerts", component: part("alerts") },
  ],
};
