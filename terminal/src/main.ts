import "@fontsource-variable/inter";
import "./design/base.css";
import { createPinia } from "pinia";
import { createApp, watch } from "vue";
import App from "./App.vue";
import { i18n, setLocale } from "./i18n";
import { router } from "./router";
import { usePreferences } from "./stores/preferences";

const pinia = createPinia();
const preferences = usePreferences(pinia);
const app = createApp(App).use(pinia).use(i18n).use(router);
watch(() => preferences.locale, (locale) => void setLocale(locale));
void setLocale(preferences.locale).then(() => app.mount("#app"));
