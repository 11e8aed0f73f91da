/**
 * Shared memory for what is large and read at random: in pages of 2 MiB, where the system has them to
 * give. Where rows take more than some hundred MB, every look-up misses the processor's table of pages
 * of 4 KiB and waits twice: for where the page is, and for the row.
 *
 * JavaScript cannot ask for such pages, but from Node 26 on it can call a function of the C library,
 * and under Linux one call, `madvise`, is enough: a hint, which changes nothing but where the pages
 * come from. Without `node:ffi`, where Node's permissions forbid it, on other systems, and with
 * `OMENDB_HUGE_PAGES=never` in the environment, memory is as the system gives it.
 */

const HUGE_PAGE_BYTES = 2 ** 21;
/** Linux, on all processors that Node runs on. */
const MADV_HUGEPAGE = 14;

/** Asks for huge pages under some memory that nobody has touched yet. */
type Advise = (memory: SharedArrayBuffer) => void;

type ForeignFunctions = typeof import('node:ffi');

/** Node's foreign functions, where it has them. */
function foreignFunctions(): ForeignFunctions | undefined {
  // Node warns whoever loads them that they are experimental: our user did not, and can do nothing.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule('node:ffi');
  } finally {
    process.emitWarning = emitWarning;
  }
}

function findAdvise(): Advise | null {
  if (process.platform !== 'linux' || process.env.OMENDB_HUGE_PAGES === 'never') return null;
  try {
    const ffi = foreignFunctions();
    if (ffi === undefined) return null;
    const madvise = new ffi.DynamicLibrary(null).getFunction('madvise', {
      arguments: ['pointer', 'uint64', 'int32'],
      return: 'int32',
    });
    return (memory) => {
      const page = BigInt(HUGE_PAGE_BYTES);
      const address = ffi.getRawPointer(new Uint8Array(memory));
      // Whole pages only: what else lies in the first and in the last is not ours.
      const first = (address + page - 1n) / page;
      const end = (address + BigInt(memory.byteLength)) / page;
      madvise(first * page, (end - first) * page, MADV_HUGEPAGE);
    };
  } catch {
    // Not permitted, or no longer as it was when this was written: a hint is not worth a failure.
    return null;
  }
}

let advise: Advise | null | undefined;

/** As `new SharedArrayBuffer(bytes)`, in huge pages where there are some. */
export function sharedMemory(bytes: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(bytes);
  // So much has a whole page in it, wherever it begins.
  if (bytes >= 2 * HUGE_PAGE_BYTES) {
    if (advise === undefined) advise = findAdvise();
    advise?.(memory);
  }
  return memory;
}
