;; The two loops that look at every byte of a message, sixteen at a time. Byte by byte, a JavaScript loop takes some
;; fifteen times as long. scripts/assemble-loops.mjs makes loops.ts of this file.
(module
  (memory (export "memory") 4)

  ;; Byte-stuffing octets that the last `encode` added.
  (global $stuffed (export "stuffed") (mut i32) (i32.const 0))

  ;; Not 0 when the last `countBareLfs` met a byte from 128 on.
  (global $eighth (export "eighth") (mut i32) (i32.const 0))

  ;; Not 0 when the last `countBareLfs` met an empty line.
  (global $empty (export "empty") (mut i32) (i32.const 0))

  ;; RFC 1939 §3: an LF without a CR before it gets one, a line that begins with a dot gets another.
  ;; `last` is the byte before the input; returns the address behind the output. Writes up to 16 bytes beyond it.
  (func (export "encode") (param $in i32) (param $length i32) (param $out i32) (param $last i32) (result i32)
    (local $end i32)
    (local $block v128)
    (local $lineFeeds i32)
    (local $skip i32)
    (local $byte i32)
    (global.set $stuffed (i32.const 0))
    (local.set $end (i32.add (local.get $in) (local.get $length)))
    (block $done
      (loop $next
        (block $byByte
          ;; What follows an LF may be a dot.
          (br_if $byByte (i32.eq (local.get $last) (i32.const 10)))
          (loop $blocks
            (br_if $byByte (i32.gt_u (i32.add (local.get $in) (i32.const 16)) (local.get $end)))
            (local.set $block (v128.load (local.get $in)))
            (v128.store (local.get $out) (local.get $block))
            (local.set $lineFeeds
              (i8x16.bitmask (i8x16.eq (local.get $block) (i8x16.splat (i32.const 10)))))
            (if (i32.eqz (local.get $lineFeeds))
              (then
                (local.set $in (i32.add (local.get $in) (i32.const 16)))
                (local.set $out (i32.add (local.get $out) (i32.const 16)))
                (local.set $last (i32.load8_u (i32.sub (local.get $in) (i32.const 1))))
                (br $blocks)))
            ;; Up to the first LF the block is copied already.
            (local.set $skip (i32.ctz (local.get $lineFeeds)))
            (local.set $in (i32.add (local.get $in) (local.get $skip)))
            (local.set $out (i32.add (local.get $out) (local.get $skip)))
            (if (local.get $skip)
              (then (local.set $last (i32.load8_u (i32.sub (local.get $in) (i32.const 1))))))))
        (br_if $done (i32.ge_u (local.get $in) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $in)))
        (if (i32.eq (local.get $byte) (i32.const 10))
          (then
            (if (i32.ne (local.get $last) (i32.const 13))
              (then
                (i32.store8 (local.get $out) (i32.const 13))
                (local.set $out (i32.add (local.get $out) (i32.const 1))))))
          (else
            (if (i32.and
                  (i32.eq (local.get $byte) (i32.const 46))
                  (i32.eq (local.get $last) (i32.const 10)))
              (then
                (i32.store8 (local.get $out) (i32.const 46))
                (local.set $out (i32.add (local.get $out) (i32.const 1)))
                (global.set $stuffed (i32.add (global.get $stuffed) (i32.const 1)))))))
        (i32.store8 (local.get $out) (local.get $byte))
        (local.set $out (i32.add (local.get $out) (i32.const 1)))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (local.set $last (local.get $byte))
        (br $next)))
    (local.get $out))

  ;; How many LFs have no CR before them, and whether a line is empty: an LF behind an LF, or behind LF and CR.
  ;; `before` tells of the two bytes before the input: 1, the last one is a CR; 2, it is an LF; 4, the one before it is.
  (func (export "countBareLfs") (param $in i32) (param $length i32) (param $before i32) (result i32)
    (local $end i32)
    (local $block v128)
    (local $seen v128)
    (local $lineFeeds i32)
    (local $returns i32)
    ;; Bit n: byte n - 1 is a CR; byte n - 1 is an LF; byte n - 2 is.
    (local $afterReturn i32)
    (local $afterLineFeed i32)
    (local $byte i32)
    (local $count i32)
    (local $empty i32)
    (local $seenBytes i32)
    (local.set $end (i32.add (local.get $in) (local.get $length)))
    (block $rest
      (loop $blocks
        (br_if $rest (i32.gt_u (i32.add (local.get $in) (i32.const 16)) (local.get $end)))
        (local.set $block (v128.load (local.get $in)))
        (local.set $seen (v128.or (local.get $seen) (local.get $block)))
        (local.set $lineFeeds (i8x16.bitmask (i8x16.eq (local.get $block) (i8x16.splat (i32.const 10)))))
        (local.set $returns (i8x16.bitmask (i8x16.eq (local.get $block) (i8x16.splat (i32.const 13)))))
        (local.set $afterReturn
          (i32.or (i32.shl (local.get $returns) (i32.const 1)) (i32.and (local.get $before) (i32.const 1))))
        ;; Two bits more than the block has: what is before it, and the block.
        (local.set $afterLineFeed
          (i32.or
            (i32.shl (local.get $lineFeeds) (i32.const 2))
            (i32.or
              (i32.and (local.get $before) (i32.const 2))
              (i32.shr_u (i32.and (local.get $before) (i32.const 4)) (i32.const 2)))))
        (local.set $count
          (i32.add
            (local.get $count)
            (i32.popcnt
              (i32.and (local.get $lineFeeds) (i32.xor (local.get $afterReturn) (i32.const -1))))))
        (local.set $empty
          (i32.or
            (local.get $empty)
            (i32.and
              (local.get $lineFeeds)
              (i32.or
                (i32.shr_u (local.get $afterLineFeed) (i32.const 1))
                (i32.and (local.get $afterLineFeed) (local.get $afterReturn))))))
        (local.set $before
          (i32.or
            (i32.shr_u (local.get $returns) (i32.const 15))
            (i32.or
              (i32.shl (i32.shr_u (local.get $lineFeeds) (i32.const 15)) (i32.const 1))
              (i32.shl (i32.and (i32.shr_u (local.get $lineFeeds) (i32.const 14)) (i32.const 1)) (i32.const 2)))))
        (local.set $in (i32.add (local.get $in) (i32.const 16)))
        (br $blocks)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $in) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $in)))
        (local.set $seenBytes (i32.or (local.get $seenBytes) (local.get $byte)))
        (if (i32.eq (local.get $byte) (i32.const 10))
          (then
            (if (i32.eqz (i32.and (local.get $before) (i32.const 1)))
              (then (local.set $count (i32.add (local.get $count) (i32.const 1)))))
            (if (i32.or
                  (i32.and (local.get $before) (i32.const 2))
                  (i32.eq (i32.and (local.get $before) (i32.const 5)) (i32.const 5)))
              (then (local.set $empty (i32.const 1))))))
        (local.set $before
          (i32.or
            (i32.eq (local.get $byte) (i32.const 13))
            (i32.or
              (i32.shl (i32.eq (local.get $byte) (i32.const 10)) (i32.const 1))
              (i32.shl (i32.and (local.get $before) (i32.const 2)) (i32.const 1)))))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (br $next)))
    (global.set $eighth
      (i32.or (i8x16.bitmask (local.get $seen)) (i32.and (local.get $seenBytes) (i32.const 128))))
    (global.set $empty (local.get $empty))
    (local.get $count)))
