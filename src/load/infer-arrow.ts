/** The columns that take the fields of an Arrow schema. */
import type { Schema as ArrowSchema, DataType } from 'apache-arrow';
import type { ColumnType } from '../schema/schema.ts';
import { BINARY, BOOL, DATE, DECIMAL, FLOAT, INT, TIMESTAMP, UTF8 } from './batch-columns.ts';
import type { InferredField } from './infer.ts';

function columnTypeOf(type: DataType): ColumnType | null {
  const { typeId, bitWidth, isSigned, precision, dictionary } = type as DataType & {
    readonly bitWidth?: number;
    readonly isSigned?: boolean;
    readonly precision?: number;
    readonly dictionary?: DataType;
  };
  if (dictionary !== undefined) return columnTypeOf(dictionary);
  switch (typeId) {
    case INT: {
      const bits = (bitWidth ?? 64) + (isSigned === true ? 0 : 1);
      return bits <= 32 ? 'int32' : 'int64';
    }
    case FLOAT:
      // Precisions are half, single and double.
      return precision === 2 ? 'float64' : 'float32';
    case BOOL:
      return 'bool';
    case UTF8:
      return 'utf8';
    case BINARY:
      return 'binary';
    case DECIMAL:
      return 'float64';
    case DATE:
    case TIMESTAMP:
      return 'timestamp';
    default:
      return null;
  }
}

export function inferArrow(schema: ArrowSchema): InferredField[] {
  return schema.fields.map(({ name, type, nullable }) => {
    return { name, type: columnTypeOf(type), nullable };
  });
}
