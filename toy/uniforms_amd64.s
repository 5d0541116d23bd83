//go:build !purego

#include "textflag.h"

DATA lanes<>+0(SB)/8, $0
DATA lanes<>+8(SB)/8, $1
DATA lanes<>+16(SB)/8, $2
DATA lanes<>+24(SB)/8, $3
DATA lanes<>+32(SB)/8, $4
DATA lanes<>+40(SB)/8, $5
DATA lanes<>+48(SB)/8, $6
DATA lanes<>+56(SB)/8, $7
GLOBL lanes<>(SB), RODATA|NOPTR, $64

// One round of Philox4x32 on words c0..c3 in the low halves of 64-bit lanes (the
// high halves hold anything: VPMULUDQ reads the low ones):
// c0, c1, c2, c3 = hi(m1*c2)^c1^k0, lo(m1*c2), hi(m0*c0)^c3^k1, lo(m0*c0).
// VPTERNLOGQ $0x96 is the exclusive or of three. Z30, Z31 are the multipliers,
// Z28, Z29 the keys; t0, t1 are free.
#define ROUND(c0, c1, c2, c3, t0, t1) \
	VPMULUDQ Z30, c0, t0; \
	VPMULUDQ Z31, c2, t1; \
	VPSRLQ $32, t1, c0; \
	VPTERNLOGQ $0x96, Z28, c1, c0; \
	VPSRLQ $32, t0, c2; \
	VPTERNLOGQ $0x96, Z29, c3, c2; \
	VMOVDQA64 t1, c1; \
	VMOVDQA64 t0, c3

#define NEXTKEY \
	VPADDD Z26, Z28, Z28; \
	VPADDD Z27, Z29, Z29

// float64(c0<<21 | c1>>11) * 2^-53.
#define UNIFORM(c0, c1, t0, off) \
	VPANDQ Z25, c0, c0; \
	VPANDQ Z25, c1, c1; \
	VPSLLQ $21, c0, c0; \
	VPSRLQ $11, c1, c1; \
	VPORQ c0, c1, c0; \
	VCVTUQQ2PD c0, t0; \
	VMULPD Z24, t0, t0; \
	VMOVUPD t0, off(DI)

// func uniformsAVX512(n int, u *float64, k0, k1, stream, low, high uint32)
TEXT ·uniformsAVX512(SB), NOSPLIT, $0-36
	MOVQ n+0(FP), CX
	MOVQ u+8(FP), DI
	MOVL low+28(FP), BX

	MOVL $0xD2511F53, AX
	VPBROADCASTQ AX, Z30
	MOVL $0xCD9E8D57, AX
	VPBROADCASTQ AX, Z31
	MOVL $0x9E3779B9, AX
	VPBROADCASTQ AX, Z26
	MOVL $0xBB67AE85, AX
	VPBROADCASTQ AX, Z27
	MOVL $0xFFFFFFFF, AX
	VPBROADCASTQ AX, Z25
	MOVQ $0x3CA0000000000000, AX // 2^-53
	VPBROADCASTQ AX, Z24
	MOVL stream+24(FP), AX
	VPBROADCASTQ AX, Z23
	MOVL high+32(FP), AX
	VPBROADCASTQ AX, Z22
	VMOVDQU64 lanes<>(SB), Z21
	MOVL k0+16(FP), R8
	MOVL k1+20(FP), R9

loop:
	VPBROADCASTQ R8, Z28
	VPBROADCASTQ R9, Z29
	VPBROADCASTQ BX, Z2
	VPADDQ Z21, Z2, Z2 // steps low..low+7
	MOVQ BX, AX
	ADDQ $8, AX
	VPBROADCASTQ AX, Z8
	VPADDQ Z21, Z8, Z8 // steps low+8..low+15
	VPXORQ Z0, Z0, Z0
	VMOVDQA64 Z23, Z1
	VMOVDQA64 Z22, Z3
	VPXORQ Z6, Z6, Z6
	VMOVDQA64 Z23, Z7
	VMOVDQA64 Z22, Z9
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	NEXTKEY
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	NEXTKEY
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	NEXTKEY
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	NEXTKEY
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	NEXTKEY
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	NEXTKEY
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	NEXTKEY
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	NEXTKEY
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	NEXTKEY
	ROUND(Z0, Z1, Z2, Z3, Z4, Z5)
	ROUND(Z6, Z7, Z8, Z9, Z10, Z11)
	UNIFORM(Z0, Z1, Z4, 0)
	UNIFORM(Z6, Z7, Z10, 64)
	ADDQ $128, DI
	ADDQ $16, BX
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
