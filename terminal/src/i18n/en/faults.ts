/** What to say when the server refuses or does not answer, for the pages of the account. */
export const faults = {
  faults: {
    network: "The server did not answer. Nothing was lost; try again.",
    generic: "That did not work. Try again.",
    rate_limited: "Too many requests. Wait a moment, then try again.",
    request_invalid: "Something in the form is not right. Check the marked fields.",
    auth_csrf: "The page is out of date. Reload it, then try again.",
    auth_session_required: "This needs a log-in, not a token.",
    limit_break_shorter: "Your break can only become longer. Choose a later end.",
    limit_exclusion_shorter: "Your exclusion can only become longer. Choose a later end.",
    account_banned: "This account is banned: you may read, nothing else.",
    required: "Fill this in",
    amount: "Enter an amount above zero with at most two decimals",
    whole: "Enter a whole number from {least} to {most}",
  },
};
