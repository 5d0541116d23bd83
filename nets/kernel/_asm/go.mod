module tqn/nets/kernel/asm

go 1.26.0
