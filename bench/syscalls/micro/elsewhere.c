/* Functions that must be called, and cannot be inlined, because they are in another object. */
#include "micro.h"

long somewhere_else(long value)
{
	return value;
}

void path_begin(void)
{
}

void path_end(void)
{
}
