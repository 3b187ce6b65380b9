/** The arrow keys of a radio group: one stop of the Tab key, the arrows choose. For `@keydown` on the group. */
export function radioKeys(event: KeyboardEvent): void {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const group = event.currentTarget;
  if (step === undefined || event.ctrlKey || event.altKey || event.metaKey || !(group instanceof HTMLElement)) return;
  const radios = [...group.querySelectorAll<HTMLElement>("[role=radio]:not(:disabled)")];
  const at = radios.findIndex((radio) => radio === document.activeElement);
  const next = radios[(at + step + radios.length) % radios.length];
  if (at < 0 || !next) return;
  event.preventDefault();
  next.focus();
  next.click();
}

/** Which radio the Tab key reaches: the chosen one, or the first where none is chosen. */
export function radioStop(checked: boolean, first: boolean, noneChecked: boolean): 0 | -1 {
  return checked || (first && noneChecked) ? 0 : -1;
}
