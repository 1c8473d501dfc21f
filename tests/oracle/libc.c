/* Parts of the C library that lean on what lies below: formats, numbers, sorting, locales, jumps, the heap. */
#include "oracle.h"
#include <ctype.h>
#include <fenv.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stddef.h>
#include <wchar.h>

TEST(formats)
{
	say("%d %5d|%-5d|%05d %x %o %lld", -42, 42, 42, 42, 0xbeef, 8, 1234567890123456789LL);
	say("%f %.3e %g %a %.0f", 3.14159265358979, 12345.678, 1e-10, 1.0 / 3, 2.5);
	say("%.20f %g %g %g", 0.1, INFINITY, -INFINITY, NAN);
	say("%Lf %.30Lg", 1.5L, 0.1L);
	say("%s %10s|%-10s|%.2s %c", "text", "right", "left", "cut", 'c');
	say("%zu %td %jd %hhd", sizeof(long), (ptrdiff_t)-1, (intmax_t)5, 300);
	char text[20];
	VALUE(snprintf(text, 5, "%s", "overlong"));
	say("'%s'", text);
	VALUE(snprintf(0, 0, "%1000d", 1));
	int a = 0, b = 0;
	double d = 0;
	char word[10] = { 0 };
	VALUE(sscanf("12 0x1f 2.5e3 word", "%d %i %lf %9s", &a, &b, &d, word));
	say("%d %d %g '%s'", a, b, d, word);
}

TEST(numbers)
{
	static const char *const texts[] = { "0.1", "1e308", "1e309", "4.9e-324", "1e-400", "0x1.8p3", "nan", "-inf", "1.7976931348623157e308",
		"123456789012345678901234567890", "2.2250738585072011e-308" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char *end;
		errno = 0;
		double d = strtod(texts[i], &end);
		say("%s: %.17g %s, rest %zu", texts[i], d, errname(errno), strlen(end));
	}
	errno = 0;
	VALUE(strtol("9223372036854775808", 0, 10));
	say("%s", errname(errno));
	VALUE(strtol("-0x7f", 0, 0));
	VALUE(strtoul("-1", 0, 10) == ULONG_MAX);
	VALUE(strtol("zz", 0, 36));
	VALUE(atoi("  17 "));
}

TEST(mathematics)
{
	say("%.17g %.17g %.17g", sin(1e6), pow(2, 0.5), exp(1));
	say("%.17g %.17g %.17g", log(10), tan(1.5), fma(1e16, 1.0000000001, -1e16));
	say("%.17g %.17g %d", fmod(1e17, 7), remainder(10, 3), (int)lrint(2.5));
	volatile double one = 1, three = 3;
	for (int mode = 0; mode < 4; mode++) {
		fesetround((int[]){ FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO }[mode]);
		double quotient = one / three;
		fesetround(FE_TONEAREST);
		say("%a", quotient);
	}
	feclearexcept(FE_ALL_EXCEPT);
	volatile double zero = 0, result = one / zero;
	say("%g %d", result, fetestexcept(FE_DIVBYZERO) != 0);
	feclearexcept(FE_ALL_EXCEPT);
}

static int by_value(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return (x > y) - (x < y);
}

TEST(sorting)
{
	enum { COUNT = 20000 };
	unsigned *numbers = malloc(COUNT * sizeof *numbers), state = 12345, wrong = 0;
	for (int i = 0; i < COUNT; i++) numbers[i] = state = state * 1664525 + 1013904223;
	unsigned wanted = numbers[777];
	qsort(numbers, COUNT, sizeof *numbers, by_value);
	for (int i = 1; i < COUNT; i++) wrong += numbers[i] < numbers[i - 1];
	VALUE(wrong);
	VALUE(bsearch(&wanted, numbers, COUNT, sizeof *numbers, by_value) != 0);
	say("%u %u", numbers[0], numbers[COUNT - 1]);
	free(numbers);
}

TEST(locales)
{
	say("%s", setlocale(LC_ALL, 0));
	VALUE(setlocale(LC_ALL, "C.UTF-8") != 0);
	wchar_t wide[16];
	VALUE(mbstowcs(wide, "a\xc3\xa4\xe2\x82\xac", 16));
	say("%#x %#x", (unsigned)wide[1], (unsigned)wide[2]);
	char text[16];
	VALUE(wcstombs(text, wide, 16));
	VALUE(mbstowcs(wide, "\xff", 16) == (size_t)-1);
	VALUE(isalpha('a') && !isalpha('1'));
	VALUE(toupper('z'));
	VALUE(wcwidth(0x4e2d));
	setlocale(LC_ALL, "C");
	say("'%s' '%s'", localeconv()->decimal_point, localeconv()->thousands_sep);
}

static jmp_buf back;

static int deep(int levels)
{
	volatile char space[1000];
	space[0] = (char)levels;
	if (levels < 0) return 0;
	if (levels == 0) longjmp(back, 5);
	return deep(levels - 1) + space[0];
}

TEST(jumps)
{
	volatile int rounds = 0;
	int value = setjmp(back);
	if (rounds++ < 3) deep(20 * rounds);
	say("value %d rounds %d", value, rounds);
	volatile double kept = 1.5;
	if (setjmp(back) == 0) longjmp(back, 0);
	else say("%g", kept);
}

TEST(streams)
{
	in_empty_directory();
	char line[100];
	FILE *f = fopen("file", "w+");
	for (int i = 0; i < 1000; i++) fprintf(f, "line %d\n", i);
	VALUE(ftell(f));
	rewind(f);
	long lines = 0;
	while (fgets(line, sizeof line, f)) lines++;
	say("%ld lines, last '%.8s', end %d error %d", lines, line, feof(f) != 0, ferror(f) != 0);
	VALUE(fseek(f, -9, SEEK_END));
	VALUE(fgetc(f));
	VALUE(ungetc('!', f));
	VALUE(fgetc(f));
	VALUE(fclose(f));
	f = fopen("file", "a");
	VALUE(fwrite("more\n", 1, 5, f));
	VALUE(fclose(f));
	f = fopen("file", "r");
	VALUE(fputs("no", f));
	say("%d", ferror(f) != 0);
	clearerr(f);
	VALUE(fscanf(f, "line %99s", line));
	fclose(f);
	say("%s", fopen("missing", "r") ? "opened" : errname(errno));
	f = tmpfile();
	VALUE(f != 0);
	if (f) fclose(f);
	f = fmemopen(line, sizeof line, "w");
	fprintf(f, "in memory %d", 7);
	fclose(f);
	say("'%s'", line);
	char name[] = "temporary-XXXXXX";
	int fd = mkstemp(name);
	VALUE(fd >= 0 && strlen(name) == 16 && strcmp(name, "temporary-XXXXXX"));
	close(fd);
}

TEST(heap)
{
	char *a = malloc(100), *b = calloc(1000, 10);
	memset(a, 'a', 100);
	a = realloc(a, 1000000);
	VALUE(a[0] == 'a' && a[99] == 'a');
	long sum = 0;
	for (int i = 0; i < 10000; i++) sum += b[i];
	VALUE(sum);
	a = realloc(a, 50);
	VALUE(a[49]);
	free(a);
	free(b);
	VALUE(malloc(SIZE_MAX / 2) == 0);
	VALUE(errno == ENOMEM);
	void *aligned = aligned_alloc(4096, 8192);
	VALUE((uintptr_t)aligned % 4096);
	free(aligned);
	void *big = malloc(100 << 20);
	VALUE(big != 0);
	free(big);
	RC(posix_memalign(&aligned, 3, 10));
}

TEST(text)
{
	char words[] = "one,two,,three", *rest, *word;
	for (word = strtok_r(words, ",", &rest); word; word = strtok_r(0, ",", &rest)) say("'%s'", word);
	say("%s %s", strerror(ENOENT), strsignal(SIGTERM));
	VALUE(strcmp("a", "b") < 0);
	VALUE(memcmp("\xff", "\x01", 1) > 0);
	char block[300];
	for (int size = 0; size < 300; size += 37) {
		memset(block, 1, sizeof block);
		memset(block, 2, size);
		int sum = 0;
		for (int i = 0; i < 300; i++) sum += block[i];
		memmove(block + 3, block, 290);
		say("%d %d %d", size, sum, block[2] + block[3]);
	}
	setenv("ORACLE", "value", 1);
	say("%s", getenv("ORACLE"));
	unsetenv("ORACLE");
	VALUE(getenv("ORACLE") == 0);
}

AREA(libc)
	T(formats) T(numbers) T(mathematics) T(sorting) T(locales) T(jumps) T(streams) T(heap) T(text)
END
