/** What is exported of each row. */
import type { ColumnType, KeyType } from '../schema/schema.ts';

export interface ExportField {
  readonly name: string;
  readonly type: ColumnType | KeyType;
  readonly nullable: boolean;
  /** Whether it is text that is JSON. */
  readonly isJson: boolean;
}
