// The memory of borrowed forks: as many as run at once, reused, never unmapped.
#pragma once

struct borrow;

// One that nobody uses, with stacks and room for BORROW_STACK bytes; NULL: too many, or no memory.
struct borrow *borrow_pool_take(void);
void borrow_pool_give(struct borrow *b);

// In a fork child: those that its parent's threads used are free.
void borrow_pool_forget(void);
