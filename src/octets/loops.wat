;; The two loops that look at every byte of a message, sixteen at a time. Byte by byte, a JavaScript loop takes some
;; fifteen times as long. scripts/assemble-loops.mjs makes loops.ts of this file.
(module
  (memory (export "memory") 4)

  ;; Byte-stuffing octets that the last `encode` added.
  (global $stuffed (export "stuffed") (mut i32) (i32.const 0))

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

  ;; How many LFs have no CR before them. `last` is the byte before the input.
  (func (export "countBareLfs") (param $in i32) (param $length i32) (param $last i32) (result i32)
    (local $end i32)
    (local $block v128)
    (local $lineFeeds i32)
    (local $returns i32)
    ;; 1 when the byte before the block is a CR.
    (local $carry i32)
    (local $byte i32)
    (local $count i32)
    (local.set $end (i32.add (local.get $in) (local.get $length)))
    (local.set $carry (i32.eq (local.get $last) (i32.const 13)))
    (block $rest
      (loop $blocks
        (br_if $rest (i32.gt_u (i32.add (local.get $in) (i32.const 16)) (local.get $end)))
        (local.set $block (v128.load (local.get $in)))
        (local.set $lineFeeds (i8x16.bitmask (i8x16.eq (local.get $block) (i8x16.splat (i32.const 10)))))
        (local.set $returns (i8x16.bitmask (i8x16.eq (local.get $block) (i8x16.splat (i32.const 13)))))
        ;; Bit n: byte n - 1 is a CR.
        (local.set $returns (i32.or (i32.shl (local.get $returns) (i32.const 1)) (local.get $carry)))
        (local.set $carry (i32.shr_u (local.get $returns) (i32.const 16)))
        (local.set $count
          (i32.add
            (local.get $count)
            (i32.popcnt
              (i32.and (local.get $lineFeeds) (i32.xor (local.get $returns) (i32.const -1))))))
        (local.set $in (i32.add (local.get $in) (i32.const 16)))
        (br $blocks)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $in) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $in)))
        (if (i32.and (i32.eq (local.get $byte) (i32.const 10)) (i32.eqz (local.get $carry)))
          (then (local.set $count (i32.add (local.get $count) (i32.const 1)))))
        (local.set $carry (i32.eq (local.get $byte) (i32.const 13)))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (br $next)))
    (local.get $count)))
