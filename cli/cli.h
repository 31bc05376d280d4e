/* SPDX-License-Identifier: Apache-2.0 */
/* The door: mpcsign as a function, for its main() and for tests. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* Parses, runs, says failures; returns the exit code. sodium_init() first. */
int cli_main(int argc, char **argv);

#endif
