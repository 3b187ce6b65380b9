import type { faults as en } from "../en/faults";

type Words<T> = { [K in keyof T]: T[K] extends string ? string : Words<T[K]> };

/** Qué decir cuando el servidor rechaza algo o no responde. */
export const faults: Words<typeof en> = {
  faults: {
    network: "El servidor no respondió. No se perdió nada; inténtalo de nuevo.",
    generic: "No ha funcionado. Inténtalo de nuevo.",
    rate_limited: "Demasiadas solicitudes. Espera un momento y vuelve a intentarlo.",
    request_invalid: "Hay algo incorrecto en el formulario. Revisa los campos marcados.",
    auth_csrf: "La página está desactualizada. Vuelve a cargarla e inténtalo otra vez.",
    auth_session_required: "Para esto hay que iniciar sesión; un token no basta.",
    limit_break_shorter: "La pausa solo se puede alargar. Elige un final posterior.",
    limit_exclusion_shorter: "La autoexclusión solo se puede alargar. Elige un final posterior.",
    account_banned: "Esta cuenta está bloqueada: solo se puede consultar.",
    required: "Rellena este campo",
    amount: "Escribe un importe mayor que cero con dos decimales como máximo",
    whole: "Escribe un número entero de {least} a {most}",
  },
};
