/* dl_iterate_phdr(3): program headers of the program and of its libraries, for unwinders. */
#define _GNU_SOURCE
#include <link.h>
#include <sys/auxv.h>

#include "loader.h"

int dl_iterate_phdr(int (*callback)(struct dl_phdr_info *, size_t, void *), void *data)
{
	struct dl_phdr_info info = {
		.dlpi_name = "",
		.dlpi_phdr = (const void *)getauxval(AT_PHDR),
		.dlpi_phnum = getauxval(AT_PHNUM),
		.dlpi_adds = 1 + count_loaded(),
	};
	int result = callback(&info, sizeof info, data);
	for (size_t number = 0; !result && number < count_loaded(); number++) {
		const struct dl_info *library = trapless_libraries[number];
		struct dl_phdr_info info = {
			.dlpi_addr = library->base,
			.dlpi_name = library->path,
			.dlpi_phdr = (const void *)library->headers,
			.dlpi_phnum = library->header_count,
			.dlpi_adds = 1 + count_loaded(),
			.dlpi_tls_modid = library->tls_memory_size ? number + 1 : 0,
		};
		result = callback(&info, sizeof info, data);
	}
	return result;
}
