import type { fairnessMore as en } from "../en/fairness_more";

type Words<T> = { [K in keyof T]: T[K] extends string ? string : Words<T[K]> };

/** Más palabras de la página de imparcialidad. */
export const fairnessMore: Words<typeof en> = {
  invariants: {
    title: "Invariantes",
    lead: "Cada noche se comprueban sobre todos los datos afirmaciones sobre dinero y operaciones que deben cumplirse siempre, por ejemplo: cada transferencia suma cero. Una infracción aparecería aquí.",
    empty: "Aún no ha pasado ninguna noche",
    emptyBody: "La primera comprobación será la próxima noche, UTC.",
    sum: "{checked} comprobadas, {violated} infringidas",
    at: "Última comprobación: {time}",
    violations: "{count} infracción | {count} infracciones",
    holds: "Se cumple",
    earlier: "Noches anteriores",
  },
  keys: {
    title: "Claves",
    lead: "Con ellas se firman recibos y archivos. Guarda la lista: quien la guarda pronto nota si aparece otra.",
    since: "Desde el {time}",
    until: "hasta el {time}",
    now: "en uso",
    production: "Clave de producción",
    dev: "Clave de desarrollo",
    public: "Clave pública",
    empty: "Esta plataforma no firma",
    emptyBody: "Un operador fija una clave; hasta entonces nada lleva firma aquí.",
    get: "Descargar la lista",
  },
  payoutLine: "Pago de {symbol} en sus últimos cambios: del {first} % al {last} %, mínimo {low} %, máximo {high} %",
  settled: {
    right: "{checked} operaciones comprobadas, ninguna diferencia",
    wrong: "{differences} diferencias en {checked} operaciones",
    at: "Última noche: {time}",
  },
};
