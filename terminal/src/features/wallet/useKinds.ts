import { useI18n } from "vue-i18n";

/** What moved money, in words; a kind without words is told by its own name. */
export function useKinds() {
  const { t, te } = useI18n();
  return (kind: string, detail = ""): string => {
    const finer = `wallet.kinds.${kind}.${detail}`;
    if (detail !== "" && te(finer)) return t(finer);
    const plain = `wallet.kinds.${kind}.plain`;
    return te(plain) ? t(plain) : kind.replaceAll(/[._]/g, " ");
  };
}
