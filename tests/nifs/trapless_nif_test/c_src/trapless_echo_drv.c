/* A port driver that sends back what it is sent, and turns around what comes by port_control/3. */
#include <erl_driver.h>
#include <string.h>

static ErlDrvData start(ErlDrvPort port, char *command)
{
	(void)command;
	return (ErlDrvData)port;
}

static void output(ErlDrvData data, char *bytes, ErlDrvSizeT length)
{
	driver_output((ErlDrvPort)data, bytes, length);
}

static ErlDrvSSizeT control(ErlDrvData data, unsigned command, char *bytes, ErlDrvSizeT length, char **answer, ErlDrvSizeT room)
{
	(void)data, (void)command;
	if (length > room)
		*answer = driver_alloc(length);
	for (ErlDrvSizeT i = 0; i < length; i++)
		(*answer)[i] = bytes[length - 1 - i];
	return length;
}

static ErlDrvEntry entry = {
	.start = start,
	.output = output,
	.driver_name = "trapless_echo_drv",
	.control = control,
	.extended_marker = ERL_DRV_EXTENDED_MARKER,
	.major_version = ERL_DRV_EXTENDED_MAJOR_VERSION,
	.minor_version = ERL_DRV_EXTENDED_MINOR_VERSION,
};

DRIVER_INIT(trapless_echo_drv)
{
	return &entry;
}
