import js from "@eslint/js";
import vue from "eslint-plugin-vue";
import ts from "typescript-eslint";
import tokens from "./eslint/tokens.js";

export default ts.config(
  { ignores: ["dist/", "node_modules/", "test-results/", "playwright-report/", "src/api/schema.d.ts"] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...vue.configs["flat/recommended"],
  {
    files: ["**/*.vue"],
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: { "max-lines": ["error", { max: 200 }] },
  },
  {
    files: ["**/*.ts"],
    rules: { "max-lines": ["error", { max: 400, skipBlankLines: true }] },
  },
  {
    rules: {
      "no-undef": "off",
      "no-console": "error",
      eqeqeq: "error",
      "max-lines-per-function": ["error", { max: 90, skipBlankLines: true, skipComments: true }],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "vue/block-order": ["error", { order: ["script", "template", "style"] }],
      "vue/define-macros-order": "error",
      "vue/html-self-closing": ["error", { html: { void: "always" } }],
      "vue/max-attributes-per-line": "off",
      "vue/singleline-html-element-content-newline": "off",
      "vue/html-indent": ["error", 2],
      "vue/first-attribute-linebreak": "off",
      "vue/html-closing-bracket-newline": "off",
      "vue/multi-word-component-names": "error",
      "vue/no-v-html": "error",
      "vue/require-default-prop": "off",
    },
  },
  {
    files: ["src/**/*.vue", "src/**/*.ts"],
    ignores: ["src/design/**", "**/*.test.ts"],
    plugins: { tokens },
    rules: { "tokens/literals": "error", "tokens/elements": "error" },
  },
  {
    // Tables of prose and of studies whose columns come with the data, and controls that are parts of one drop zone.
    files: ["RuleWords", "StudyTable", "ExecutionSection", "ArchivesSection", "IncidentsSection", "PayoutSection", "ResettlementSection", "DropZone", "OrderPicker"].map((name) => `src/features/fairness/${name}.vue`),
    rules: { "tokens/elements": "off" },
  },
  {
    // Ticks with the boundary of acceptance or expiry drawn between two rows, which no table of records has.
    files: ["src/features/order/TickTable.vue"],
    rules: { "tokens/elements": "off" },
  },
  {
    files: ["**/*.test.ts", "e2e/**/*.ts"],
    rules: {
      "max-lines-per-function": "off",
      // A fixture without dependencies is written as an empty pattern.
      "no-empty-pattern": "off",
    },
  },
);
