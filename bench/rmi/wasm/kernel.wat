;; The staged look-ups of src/view/batch-lookup.ts and src/rmi/f64-index.ts once more, in WebAssembly
;; over shared memory: what the same stages take where nothing is checked but the memory's end.
;;
;; Each export is one stage for the keys numbered order[from, to). Addresses are in bytes; keys, wanted,
;; values and found are float64, order and positions 32-bit; nodes and cells are src/rmi/model.ts's.
;; Whole numbers below 2^52 are converted by adding 2^52: they are then a double's low bits.
(module
  (import "segment" "memory" (memory 1 65536 shared))

  ;; Where the model thinks each key is, into positions.
  (func (export "predict")
    (param $nodes i32) (param $cells i32)
    (param $wanted i32) (param $order i32) (param $from i32) (param $to i32) (param $positions i32)
    (local $i i32) (local $last i32) (local $number i32) (local $node i32) (local $at i32)
    (local $bit i32) (local $cell i32) (local $start i32) (local $end i32)
    (local $key f64) (local $scale f64) (local $count f64) (local $x f64) (local $floor f64)
    (local.set $i (i32.add (local.get $order) (i32.shl (local.get $from) (i32.const 2))))
    (local.set $last (i32.add (local.get $order) (i32.shl (local.get $to) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $last)))
        (local.set $number (i32.load (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 4)))
        (local.set $key
          (f64.load (i32.add (local.get $wanted) (i32.shl (local.get $number) (i32.const 3)))))
        (local.set $node (local.get $nodes))
        (loop $down
          (local.set $scale (f64.load offset=8 (local.get $node)))
          (if (f64.gt (local.get $scale) (f64.const 0))
            (then
              (local.set $x
                (f64.mul
                  (f64.sub (local.get $key) (f64.load (local.get $node)))
                  (local.get $scale)))
              (local.set $x
                (select (local.get $x) (f64.const 0) (f64.gt (local.get $x) (f64.const 0))))
              (local.set $count (f64.convert_i32_s (i32.load offset=16 (local.get $node))))
              (local.set $x
                (select
                  (f64.sub (local.get $count) (f64.const 0x1p-20))
                  (local.get $x)
                  (f64.ge (local.get $x) (local.get $count)))))
            (else
              ;; How many separators are not above the key; they begin at byte 32.
              (local.set $cell (i32.const 0))
              (local.set $bit (i32.shr_u (i32.load offset=16 (local.get $node)) (i32.const 1)))
              (loop $halve
                (local.set $cell
                  (i32.add
                    (local.get $cell)
                    (i32.mul
                      (local.get $bit)
                      (f64.le
                        (f64.load offset=24
                          (i32.add
                            (local.get $node)
                            (i32.shl
                              (i32.add (local.get $cell) (local.get $bit))
                              (i32.const 3))))
                        (local.get $key)))))
                (br_if $halve
                  (local.tee $bit (i32.shr_u (local.get $bit) (i32.const 1)))))
              (local.set $x
                (f64.add (f64.convert_i32_s (local.get $cell)) (f64.const 0.5)))))
          (local.set $floor (f64.floor (local.get $x)))
          (local.set $at
            (i32.add
              (local.get $cells)
              (i32.shl
                (i32.add
                  (i32.load offset=20 (local.get $node))
                  (i32.wrap_i64
                    (i64.reinterpret_f64 (f64.add (local.get $floor) (f64.const 0x1p52)))))
                (i32.const 2))))
          (local.set $start (i32.load (local.get $at)))
          (if (i32.lt_s (local.get $start) (i32.const 0))
            (then
              ;; A node's number loses its mark in the shift.
              (local.set $node
                (i32.add (local.get $nodes) (i32.shl (local.get $start) (i32.const 5))))
              (br $down))))
        (local.set $end (i32.load offset=4 (local.get $at)))
        (if (i32.lt_s (local.get $end) (i32.const 0))
          (then
            (local.set $end
              (i32.load offset=24
                (i32.add (local.get $nodes) (i32.shl (local.get $end) (i32.const 5)))))))
        (i32.store
          (i32.add (local.get $positions) (i32.shl (local.get $number) (i32.const 2)))
          (i32.wrap_i64
            (i64.reinterpret_f64
              (f64.add
                (f64.floor
                  (f64.add
                    (f64.convert_i32_s (local.get $start))
                    (f64.mul
                      (f64.convert_i32_s (i32.sub (local.get $end) (local.get $start)))
                      (f64.sub (local.get $x) (local.get $floor)))))
                (f64.const 0x1p52)))))
        (br $next))))

  ;; Asks memory for the lines of keys and rows (of eight bytes) around each position. There is no
  ;; prefetch in WebAssembly either: the sum of what was loaded is returned so that it has a use.
  (func (export "touch")
    (param $keys i32) (param $rows i32) (param $count i32)
    (param $order i32) (param $from i32) (param $to i32) (param $positions i32)
    (result i32)
    (local $i i32) (local $end i32) (local $at i32) (local $least i32) (local $most i32)
    (local $sum i32)
    (local.set $i (i32.add (local.get $order) (i32.shl (local.get $from) (i32.const 2))))
    (local.set $end (i32.add (local.get $order) (i32.shl (local.get $to) (i32.const 2))))
    (local.set $least (i32.const 4))
    (local.set $most (i32.sub (local.get $count) (i32.const 4)))
    (if (i32.lt_s (local.get $most) (local.get $least)) (then (return (i32.const 0))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $end)))
        (local.set $at
          (i32.load
            (i32.add
              (local.get $positions)
              (i32.shl (i32.load (local.get $i)) (i32.const 2)))))
        (local.set $i (i32.add (local.get $i) (i32.const 4)))
        (local.set $at
          (select (local.get $at) (local.get $least)
            (i32.gt_s (local.get $at) (local.get $least))))
        (local.set $at
          (i32.shl
            (select (local.get $at) (local.get $most)
              (i32.lt_s (local.get $at) (local.get $most)))
            (i32.const 3)))
        (local.set $sum
          (i32.add
            (local.get $sum)
            (i32.add
              (i32.load8_u
                (i32.sub (i32.add (local.get $keys) (local.get $at)) (i32.const 32)))
              (i32.load8_u offset=24 (i32.add (local.get $keys) (local.get $at))))))
        (if (local.get $rows)
          (then
            (local.set $sum
              (i32.add
                (local.get $sum)
                (i32.add
                  (i32.load8_u
                    (i32.sub (i32.add (local.get $rows) (local.get $at)) (i32.const 24)))
                  (i32.load8_u offset=24 (i32.add (local.get $rows) (local.get $at))))))))
        (br $next)))
    (local.get $sum))

  ;; Turns predictions into positions, or −1. Sixteen keys are searched without a branch. With all
  ;; sixteen compared as vectors (f64x2.lt) a look-up took 1.3 to 1.6 of the time: three lines of keys
  ;; are read instead of two. With the last four as vectors it took the same.
  (func (export "search")
    (param $keys i32) (param $count i32)
    (param $wanted i32) (param $order i32) (param $from i32) (param $to i32) (param $positions i32)
    (local $i i32) (local $end i32) (local $number i32) (local $p i32) (local $most i32)
    (local $at i32) (local $key f64)
    (local.set $i (i32.add (local.get $order) (i32.shl (local.get $from) (i32.const 2))))
    (local.set $end (i32.add (local.get $order) (i32.shl (local.get $to) (i32.const 2))))
    (local.set $most (i32.sub (local.get $count) (i32.const 16)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $end)))
        (local.set $number (i32.load (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 4)))
        (local.set $key
          (f64.load (i32.add (local.get $wanted) (i32.shl (local.get $number) (i32.const 3)))))
        (local.set $number
          (i32.add (local.get $positions) (i32.shl (local.get $number) (i32.const 2))))
        (local.set $p (i32.sub (i32.load (local.get $number)) (i32.const 8)))
        (local.set $p
          (select (local.get $p) (local.get $most) (i32.lt_s (local.get $p) (local.get $most))))
        (local.set $p
          (select (local.get $p) (i32.const 0) (i32.gt_s (local.get $p) (i32.const 0))))
        (if (i32.ge_s (local.get $most) (i32.const 0))
          (then
            (local.set $at (i32.add (local.get $keys) (i32.shl (local.get $p) (i32.const 3))))
            (local.set $at
              (i32.add (local.get $at)
                (i32.shl
                  (f64.lt (f64.load offset=56 (local.get $at)) (local.get $key))
                  (i32.const 6))))
            (local.set $at
              (i32.add (local.get $at)
                (i32.shl
                  (f64.lt (f64.load offset=24 (local.get $at)) (local.get $key))
                  (i32.const 5))))
            (local.set $at
              (i32.add (local.get $at)
                (i32.shl
                  (f64.lt (f64.load offset=8 (local.get $at)) (local.get $key))
                  (i32.const 4))))
            (local.set $at
              (i32.add (local.get $at)
                (i32.shl
                  (f64.lt (f64.load (local.get $at)) (local.get $key))
                  (i32.const 3))))
            (local.set $p
              (i32.shr_u (i32.sub (local.get $at) (local.get $keys)) (i32.const 3)))
            (if (f64.eq (f64.load (local.get $at)) (local.get $key))
              (then
                (i32.store (local.get $number) (local.get $p))
                (br $next)))))
        (i32.store (local.get $number)
          (call $findFrom (local.get $keys) (local.get $count) (local.get $key) (local.get $p)))
        (br $next))))

  ;; The values at the positions, into found; 0 where there is none.
  (func (export "gather")
    (param $values i32)
    (param $order i32) (param $from i32) (param $to i32) (param $positions i32) (param $found i32)
    (local $i i32) (local $end i32) (local $number i32) (local $at i32)
    (local.set $i (i32.add (local.get $order) (i32.shl (local.get $from) (i32.const 2))))
    (local.set $end (i32.add (local.get $order) (i32.shl (local.get $to) (i32.const 2))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $end)))
        (local.set $number (i32.load (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 4)))
        (local.set $at
          (i32.load (i32.add (local.get $positions) (i32.shl (local.get $number) (i32.const 2)))))
        (f64.store
          (i32.add (local.get $found) (i32.shl (local.get $number) (i32.const 3)))
          (if (result f64) (i32.lt_s (local.get $at) (i32.const 0))
            (then (f64.const 0))
            (else
              (f64.load
                (i32.add (local.get $values) (i32.shl (local.get $at) (i32.const 3)))))))
        (br $next))))

  ;; The position of a key, or −1, from anywhere: steps that double, then halves.
  (func $findFrom
    (param $keys i32) (param $count i32) (param $key f64) (param $from i32)
    (result i32)
    (local $low i32) (local $high i32) (local $step i32) (local $middle i32)
    (local.set $step (i32.const 8))
    (local.set $high (local.get $count))
    (if (i32.lt_u (local.get $from) (local.get $count))
      (then
        (if (f64.lt (call $at (local.get $keys) (local.get $from)) (local.get $key))
          (then
            (local.set $low (i32.add (local.get $from) (i32.const 1)))
            (block $far
              (loop $up
                (local.set $middle (i32.add (local.get $low) (local.get $step)))
                (br_if $far (i32.ge_u (local.get $middle) (local.get $count)))
                (if (f64.lt (call $at (local.get $keys) (local.get $middle)) (local.get $key))
                  (then
                    (local.set $low (i32.add (local.get $middle) (i32.const 1)))
                    (local.set $step (i32.shl (local.get $step) (i32.const 1)))
                    (br $up)))
                (local.set $high (local.get $middle)))))
          (else
            (local.set $high (local.get $from))
            (block $far
              (loop $down
                (br_if $far (i32.lt_u (local.get $high) (local.get $step)))
                (local.set $middle (i32.sub (local.get $high) (local.get $step)))
                (if (f64.ge (call $at (local.get $keys) (local.get $middle)) (local.get $key))
                  (then
                    (local.set $high (local.get $middle))
                    (local.set $step (i32.shl (local.get $step) (i32.const 1)))
                    (br $down)))
                (local.set $low (i32.add (local.get $middle) (i32.const 1)))))))))
    (block $found
      (loop $halve
        (br_if $found (i32.ge_u (local.get $low) (local.get $high)))
        (local.set $middle
          (i32.shr_u (i32.add (local.get $low) (local.get $high)) (i32.const 1)))
        (if (f64.lt (call $at (local.get $keys) (local.get $middle)) (local.get $key))
          (then (local.set $low (i32.add (local.get $middle) (i32.const 1))))
          (else (local.set $high (local.get $middle))))
        (br $halve)))
    (if (i32.lt_u (local.get $low) (local.get $count))
      (then
        (if (f64.eq (call $at (local.get $keys) (local.get $low)) (local.get $key))
          (then (return (local.get $low))))))
    (i32.const -1))

  (func $at (param $keys i32) (param $position i32) (result f64)
    (f64.load (i32.add (local.get $keys) (i32.shl (local.get $position) (i32.const 3)))))
)
