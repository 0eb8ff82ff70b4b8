/* SPDX-License-Identifier: MIT */
/* cmocka with what it wants included before it. */
#ifndef USWAP_TESTS_CMOCKA_ALL_H
#define USWAP_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
