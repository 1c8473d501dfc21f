/* A NIF with state that an upgrade takes over. */
#include <erl_nif.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct state {
	int generation;
	ErlNifMutex *lock;
	long count;
};

static ErlNifResourceType *boxes;
static int constructed;
static int destroyed;
static __thread long local_value = 1000;
/* Pointers to data and functions, which have to be relocated. */
static int *const places[] = {&constructed, &destroyed};

__attribute__((constructor)) static void construct(void)
{
	*places[0] += 1;
}

static void destroy(ErlNifEnv *env, void *box)
{
	(void)env, (void)box;
	__atomic_add_fetch(places[1], 1, __ATOMIC_SEQ_CST);
}

static int open_boxes(ErlNifEnv *env)
{
	boxes = enif_open_resource_type(env, NULL, "box", destroy, ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER, NULL);
	return boxes == NULL;
}

static int load(ErlNifEnv *env, void **data, ERL_NIF_TERM info)
{
	struct state *state = enif_alloc(sizeof *state);
	*state = (struct state){.lock = enif_mutex_create("counter")};
	if (!enif_get_int(env, info, &state->generation))
		return 1;
	*data = state;
	return open_boxes(env);
}

static int upgrade(ErlNifEnv *env, void **data, void **old, ERL_NIF_TERM info)
{
	(void)info;
	struct state *state = *old;
	*old = NULL;
	state->generation++;
	*data = state;
	return open_boxes(env);
}

static void unload(ErlNifEnv *env, void *data)
{
	(void)env;
	struct state *state = data;
	if (state) {
		enif_mutex_destroy(state->lock);
		enif_free(state);
	}
}

static ERL_NIF_TERM next(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc, (void)argv;
	struct state *state = enif_priv_data(env);
	enif_mutex_lock(state->lock);
	long count = ++state->count;
	enif_mutex_unlock(state->lock);
	return enif_make_long(env, count);
}

static ERL_NIF_TERM state(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc, (void)argv;
	return enif_make_int(env, ((struct state *)enif_priv_data(env))->generation);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static ERL_NIF_TERM sorted(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc;
	unsigned length;
	if (!enif_get_list_length(env, argv[0], &length))
		return enif_make_badarg(env);
	int *numbers = malloc(length * sizeof *numbers);
	ERL_NIF_TERM head, tail = argv[0];
	for (unsigned i = 0; i < length; i++)
		if (!enif_get_list_cell(env, tail, &head, &tail) || !enif_get_int(env, head, &numbers[i])) {
			free(numbers);
			return enif_make_badarg(env);
		}
	qsort(numbers, length, sizeof *numbers, compare);
	ERL_NIF_TERM list = enif_make_list(env, 0);
	for (unsigned i = length; i-- > 0;)
		list = enif_make_list_cell(env, enif_make_int(env, numbers[i]), list);
	free(numbers);
	return list;
}

static ERL_NIF_TERM text(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc;
	char buffer[64];
	double number;
	if (!enif_get_double(env, argv[0], &number))
		return enif_make_badarg(env);
	snprintf(buffer, sizeof buffer, "%.3f_%ld", number, strtol("0x1f", NULL, 16));
	return enif_make_atom(env, buffer);
}

static ERL_NIF_TERM new_box(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc;
	int *box = enif_alloc_resource(boxes, sizeof *box);
	if (!enif_get_int(env, argv[0], box)) {
		enif_release_resource(box);
		return enif_make_badarg(env);
	}
	ERL_NIF_TERM term = enif_make_resource(env, box);
	enif_release_resource(box);
	return term;
}

static ERL_NIF_TERM box(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc;
	void *box;
	if (!enif_get_resource(env, argv[0], boxes, &box))
		return enif_make_badarg(env);
	return enif_make_int(env, *(int *)box);
}

static ERL_NIF_TERM wait_for(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc;
	int ms;
	if (!enif_get_int(env, argv[0], &ms))
		return enif_make_badarg(env);
	usleep(ms * 1000);
	return enif_make_int(env, enif_thread_type() == ERL_NIF_THR_DIRTY_IO_SCHEDULER);
}

static ERL_NIF_TERM local(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc, (void)argv;
	return enif_make_long(env, ++local_value);
}

static ERL_NIF_TERM started(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc, (void)argv;
	return enif_make_int(env, constructed);
}

static ERL_NIF_TERM ended(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	(void)argc, (void)argv;
	return enif_make_int(env, __atomic_load_n(&destroyed, __ATOMIC_SEQ_CST));
}

static ErlNifFunc functions[] = {
	{"next", 0, next, 0},
	{"state", 0, state, 0},
	{"sorted", 1, sorted, 0},
	{"text", 1, text, 0},
	{"new_box", 1, new_box, 0},
	{"box", 1, box, 0},
	{"wait", 1, wait_for, ERL_NIF_DIRTY_JOB_IO_BOUND},
	{"local", 0, local, 0},
	{"started", 0, started, 0},
	{"ended", 0, ended, 0},
};

ERL_NIF_INIT(trapless_nif_counter, functions, load, NULL, upgrade, unload)
