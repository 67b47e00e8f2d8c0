/* tillq roll: seals the journal's active segment and begins a new one. */
#include "cli/options.h"
#include "cli/slice.h"
#include "cli/source.h"

int roll_command(struct invocation *invocation, int argc, char **argv)
{
    const struct usage usage = {"roll",
                                "Seals the journal's active segment and begins a new one, e.g. "
                                "before a copy is taken.",
                                NULL, 0};
    int status = options_read_alone(invocation, &usage, argc, argv);
    if (status >= 0)
        return status;
    if (lacks_server(invocation))
        return STATUS_USAGE;
    struct source *source;
    if (source_open_or_complain(&source, invocation) < 0)
        return STATUS_FAILED;
    struct buffer request = {0};
    struct text reply;
    buffer_add_string(&request, "{\"op\":\"roll\"}");
    int result = source_ask_or_complain(source, &request, &reply);
    if (result == 0 && invocation->json)
        print_object(slice_after_first(reply));
    else if (result == 0)
        printf("segment %lld is active\n",
               (long long)slice_int_or(slice_member(reply, "segment"), -1));
    buffer_free(&request);
    source_close(source);
    return result < 0 ? STATUS_FAILED : 0;
}
