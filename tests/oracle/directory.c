/* Directories, paths, and the calls that start from a directory's descriptor. */
#include "oracle.h"
#include <dirent.h>

static void touch(const char *name)
{
	close(open(name, O_CREAT | O_RDWR, 0644));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Prints a directory's entries in order, each with a letter for its type. */
static void list(const char *path)
{
	char *names[2000], line[200] = { 0 };
	int count = 0;
	DIR *directory = opendir(path);
	if (!directory) {
		say("opendir: %s", errname(errno));
		return;
	}
	for (struct dirent *e; (e = readdir(directory)) && count < 2000; count++) {
		char entry[300];
		char kind = e->d_type == DT_DIR ? 'd' : e->d_type == DT_REG ? 'f' : e->d_type == DT_LNK ? 'l' : '?';
		snprintf(entry, sizeof entry, "%s:%c", e->d_name, kind);
		names[count] = strdup(entry);
	}
	closedir(directory);
	qsort(names, count, sizeof *names, by_name);
	for (int i = 0; i < count; i++) {
		if (count < 10) strcat(strcat(line, " "), names[i]);
		free(names[i]);
	}
	say("%d entries%s", count, line);
}

TEST(making_and_removing)
{
	in_empty_directory();
	CALL(mkdir("d", 0755));
	CALL(mkdir("d", 0755));
	CALL(mkdir("missing/d", 0755));
	CALL(mkdir("d/", 0755));
	CALL(mkdir("e/", 0755));
	touch("d/file");
	CALL(mkdir("d/file/e", 0755));
	CALL(rmdir("d"));
	CALL(rmdir("d/file"));
	CALL(unlink("d"));
	CALL(unlink("d/file"));
	CALL(rmdir("d/."));
	CALL(rmdir("d/.."));
	CALL(rmdir("d"));
	CALL(rmdir("d"));
	struct stat s;
	umask(022);
	CALL(mkdir("m", 0777));
	CALL(mkdir("m/n", 0777));
	stat("m", &s);
	say("directory %d mode %o links %d", S_ISDIR(s.st_mode), s.st_mode & 07777, (int)s.st_nlink);
}

TEST(listing)
{
	in_empty_directory();
	list(".");
	touch("file");
	mkdir("sub", 0755);
	if (symlink("file", "link")) return;
	list(".");
	list("file");
	list("missing");
	list("sub");
	for (int i = 0; i < 1000; i++) {
		char name[40];
		snprintf(name, sizeof name, "sub/entry-%d", i);
		touch(name);
	}
	list("sub");
}

TEST(raw_listing)
{
	in_empty_directory();
	for (int i = 0; i < 20; i++) {
		char name[40];
		snprintf(name, sizeof name, "entry-%d", i);
		touch(name);
	}
	char block[200];
	int fd = open(".", O_RDONLY | O_DIRECTORY), rounds = 0;
	long n, entries = 0;
	while ((n = syscall(SYS_getdents64, fd, block, sizeof block)) > 0 && rounds < 100) {
		rounds++;
		for (long at = 0; at < n; at += *(unsigned short *)(block + at + 16)) entries++;
	}
	say("last %ld, several rounds %d, entries %ld", n, rounds > 1, entries);
	CALL(lseek(fd, 0, SEEK_SET));
	VALUE(syscall(SYS_getdents64, fd, block, sizeof block) > 0);
	CALL(syscall(SYS_getdents64, fd, block, 10));
	CALL(read(fd, block, 10));
	close(fd);
	fd = open("entry-1", O_RDONLY);
	CALL(syscall(SYS_getdents64, fd, block, sizeof block));
	close(fd);
}

/* The end of the current directory's path. */
static void where(void)
{
	char path[PATH_MAX];
	char *end = getcwd(path, sizeof path);
	char *own = end ? strstr(end, "/oracle-") : 0;
	say("in %s", own ? strchr(own + 1, '/') ? strchr(own + 1, '/') : "." : "?");
}

TEST(current)
{
	in_empty_directory();
	char small[3];
	where();
	CALL(mkdir("d", 0755));
	CALL(mkdir("d/e", 0755));
	CALL(chdir("d/e"));
	where();
	touch("file");
	CALL(chdir("file"));
	CALL(chdir("missing"));
	CALL(chdir(".."));
	where();
	CALL(syscall(SYS_getcwd, small, sizeof small));
	CALL(syscall(SYS_getcwd, small, 0));
	int fd = open("..", O_RDONLY);
	CALL(fchdir(fd));
	where();
	close(fd);
	fd = open("d/e/file", O_RDONLY);
	CALL(fchdir(fd));
	close(fd);
	/* The current directory goes away. */
	CALL(mkdir("gone", 0755));
	CALL(chdir("gone"));
	CALL(rmdir("../gone"));
	CALL(syscall(SYS_getcwd, small, sizeof small));
	CALL(open("file", O_CREAT | O_RDWR, 0600));
	CALL(mkdir("d", 0755));
	CALL(chdir(".."));
}

TEST(from_a_descriptor)
{
	in_empty_directory();
	struct stat s;
	char text[16] = { 0 };
	CALL(mkdir("d", 0755));
	int fd = open("d", O_RDONLY | O_DIRECTORY);
	close(openat(fd, "file", O_CREAT | O_RDWR, 0600));
	CALL(fstatat(fd, "file", &s, 0));
	CALL(stat("d/file", &s));
	CALL(mkdirat(fd, "sub", 0755));
	CALL(renameat(fd, "file", AT_FDCWD, "file"));
	CALL(linkat(AT_FDCWD, "file", fd, "linked", 0));
	CALL(symlinkat("linked", fd, "soft"));
	CALL(readlinkat(fd, "soft", text, 15));
	say("'%s'", text);
	CALL(fchmodat(fd, "linked", 0600, 0));
	CALL(faccessat(fd, "linked", R_OK, 0));
	CALL(unlinkat(fd, "sub", 0));
	CALL(unlinkat(fd, "sub", AT_REMOVEDIR));
	CALL(unlinkat(fd, "soft", AT_REMOVEDIR));
	CALL(unlinkat(fd, "soft", 0x1234));
	CALL(openat(99, "file", O_RDONLY));
	int file = open("file", O_RDONLY);
	CALL(openat(file, "file", O_RDONLY));
	CALL(openat(file, "", O_RDONLY));
	close(file);
	/* Absolute paths need no directory. */
	int null = openat(99, "/dev/null", O_RDONLY);
	VALUE(null >= 0);
	close(null);
	list("d");
	close(fd);
}

TEST(path_forms)
{
	in_empty_directory();
	char longer[300], longest[5000];
	struct stat s;
	memset(longer, 'n', sizeof longer);
	longer[255] = 0;
	int fd = open(longer, O_CREAT | O_RDWR, 0600);
	VALUE(fd >= 0);
	close(fd);
	CALL(unlink(longer));
	longer[255] = 'n';
	longer[256] = 0;
	CALL(open(longer, O_CREAT | O_RDWR, 0600));
	memset(longest, '/', sizeof longest);
	longest[4095] = 0;
	CALL(stat(longest, &s));
	longest[4095] = '/';
	longest[4096] = 0;
	CALL(stat(longest, &s));
	CALL(mkdir("d", 0755));
	CALL(stat("./d/../d/./", &s));
	CALL(stat("d//..//d", &s));
	CALL(stat("d/../..//missing/..", &s));
	CALL(symlink("d", "link"));
	touch("d/file");
	CALL(stat("link/file", &s));
	CALL(lstat("link/", &s));
	VALUE(S_ISDIR(s.st_mode));
	CALL(symlink("../d/file", "d/up"));
	CALL(stat("link/up", &s));
	CALL(rmdir("link"));
	CALL(unlink("link/"));
	CALL(unlink("link"));
}

TEST(permissions)
{
	in_empty_directory();
	touch("file");
	CALL(access("file", F_OK));
	CALL(access("file", R_OK | W_OK));
	CALL(access("missing", F_OK));
	CALL(access("file", 0x77));
	CALL(chmod("file", 0644));
	CALL(access("file", X_OK));
	CALL(chmod("file", 0755));
	CALL(access("file", X_OK));
	CALL(access(".", X_OK));
	CALL(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
	CALL(faccessat(AT_FDCWD, "file", R_OK, 0x4000));
}

static void *makes_and_removes(void *number)
{
	char name[40], to[40];
	long failed = 0;
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof name, "%ld-%d", (long)number, i % 7);
		snprintf(to, sizeof to, "%ld-%d-moved", (long)number, i % 7);
		int fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
		failed += fd < 0;
		failed += write(fd, name, 3) != 3;
		close(fd);
		failed += rename(name, to) != 0;
		failed += unlink(to) != 0;
		failed += mkdir(name, 0755) != 0;
		failed += rmdir(name) != 0;
	}
	return (void *)failed;
}

TEST(threads)
{
	in_empty_directory();
	pthread_t threads[6];
	for (int i = 0; i < 6; i++) threads[i] = start(makes_and_removes, (void *)(intptr_t)i);
	for (int i = 0; i < 6; i++) VALUE(join(threads[i]));
	list(".");
}

AREA(directory)
	T(making_and_removing) T(listing) T(raw_listing) T(current) T(from_a_descriptor) T(path_forms) T(permissions)
	T(threads)
END
