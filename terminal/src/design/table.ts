/** A column of a UiTable. `num` sets figures to the right; `lead` heads the card on a phone; `sort` lets its head be pressed. */
export interface Column<K extends string = string> {
  key: K;
  label: string;
  num?: boolean;
  lead?: boolean;
  sort?: boolean;
  /** The label is spoken only, such as that of a column of buttons. */
  silent?: boolean;
}

export interface Sort<K extends string = string> {
  key: K;
  down: boolean;
}
