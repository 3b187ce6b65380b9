/** The words of the developer page. */
export const developer = {
  developer: {
    title: "Developer",
    emptyTitle: "Tokens and webhooks will stand here",
    emptyBody: "Everything this terminal does goes through the public API. Its reference is open now.",
    docs: "Open the API reference",
  },
};
