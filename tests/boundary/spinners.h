/* The corruption sentinel in the program's ring, and the flags of it that others use. */
#ifndef SPINNERS_H
#define SPINNERS_H

/* IF is always on; CF, PF, AF, ZF, SF, OF and DF are anybody's. */
enum { ALWAYS = 0x202, ARITHMETIC = 0x8d5, DF = 0x400 };

/* Threads that compare all their registers while they are interrupted. */
void spinners(void);

#endif
