import { createRouter, createWebHistory, type RouteComponent, type RouteRecordRaw } from "vue-router";
import { bridgeRoutes } from "./features/bridge/pages";
import { journalPage } from "./features/journal/page";
import { orderPage } from "./features/order/page";
import { addWords } from "./i18n";
import { useSession } from "./stores/session";

/** The fairness page with its words, which are too many to come with trading. */
async function fairnessPage(): Promise<RouteComponent> {
  const [page, { bringWords }] = await Promise.all([import("./features/fairness/FairnessPage.vue"), import("./features/fairness/words")]);
  await bringWords();
  return page.default;
}

type PageModule = Promise<{ default: RouteComponent }>;

/** A page that speaks with the words of the account's pages. */
const withAccountWords = (bring: () => PageModule) => async (): Promise<RouteComponent> => {
  const [page, { bringAccountWords }] = await Promise.all([bring(), import("./features/security/words")]);
  await bringAccountWords();
  return page.default;
};

async function galleryPage(): Promise<RouteComponent> {
  const [page] = await Promise.all([
    import("./design/gallery/GalleryPage.vue"),
    addWords("gallery", {
      en: async () => ({ gallery: (await import("./i18n/en/gallery")).gallery }),
      ru: async () => ({ gallery: (await import("./i18n/ru/gallery")).gallery }),
      es: async () => ({ gallery: (await import("./i18n/es/gallery")).gallery }),
    }),
  ]);
  return page.default;
}

const routes: RouteRecordRaw[] = [
  {
    path: "/",
    component: () => import("./features/shell/AppShell.vue"),
    children: [
      { path: "", name: "trade", component: () => import("./features/trade/TradePage.vue") },
      { path: "history", name: "history", component: () => import("./features/history/HistoryPage.vue") },
      { path: "journal", name: "journal", component: journalPage },
      { path: "orders/:id", name: "order", component: orderPage },
      { path: "tournaments", name: "tournaments", component: () => import("./features/tournaments/TournamentsPage.vue") },
      { path: "wallet", name: "wallet", component: () => import("./features/wallet/WalletPage.vue") },
      { path: "limits", name: "limits", component: withAccountWords(() => import("./features/limits/LimitsPage.vue")) },
      { path: "security", name: "security", component: withAccountWords(() => import("./features/security/SecurityPage.vue")) },
      { path: "developer", children: [{ path: "", name: "developer", component: withAccountWords(() => import("./features/developer/DeveloperPage.vue")) }, bridgeRoutes] },
      { path: "help", name: "help", component: () => import("./features/help/HelpPage.vue") },
    ],
  },
  {
    path: "/",
    component: () => import("./features/auth/AuthLayout.vue"),
    meta: { public: true },
    children: [
      { path: "log-in", name: "log-in", component: withAccountWords(() => import("./features/auth/LogInPage.vue")) },
      { path: "sign-up", name: "sign-up", component: () => import("./features/auth/SignUpPage.vue") },
      { path: "code", name: "code", component: withAccountWords(() => import("./features/auth/CodePage.vue")) },
    ],
  },
  { path: "/fairness", name: "fairness", component: fairnessPage, meta: { public: true, everybody: true } },
  { path: "/design", name: "design", component: galleryPage, meta: { public: true, everybody: true } },
  { path: "/:rest(.*)*", redirect: { name: "trade" } },
];

export const router = createRouter({ history: createWebHistory(), routes });

/** Nobody sees trading without a session, and nobody logged in sees the log-in pages; the evidence is for everybody. */
router.beforeEach(async (to) => {
  const session = useSession();
  if (session.state === null && !(await session.readFirst())) return false;
  const state = session.state;
  if (to.meta["everybody"] === true) return true;
  const isPublic = to.matched.some((record) => record.meta["public"] === true);
  if (state?.kind === "signed-in") return isPublic ? { name: "trade" } : true;
  if (state?.kind === "pending" && to.name !== "code") return isPublic ? true : { name: "code" };
  if (state?.kind !== "pending" && to.name === "code") return { name: "log-in" };
  return isPublic ? true : { name: "log-in" };
});
