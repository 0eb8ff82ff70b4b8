/* SPDX-License-Identifier: MIT */
/* The loader places the program's thread-local variables nearest to the thread pointer, and those
 * of a library beyond them: a thread's block must reach there, however large the program's are. */
#include "cmocka_all.h"
#include "thread_probe.h"

static __thread volatile char large[4 << 20];

static void a_library_has_its_variables_behind_those_of_the_program(void **state)
{
    large[0] = large[sizeof(large) - 1] = 1;
    assert_int_equal(thread_probe(7), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_library_has_its_variables_behind_those_of_the_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
