/*
 * completion.c - `etherconnctl completion`: shell functions that know what may be typed.
 *
 *   tables of commands, options, words, keys --> one `case` --> a walk over the line, the same
 *   for both shells --> what is theirs: where the line comes from, where the words go
 *
 * Names in the functions keep clear of zsh's own: words, options, commands, path are taken.
 */
#include "ctl/command.h"
#include "ctl/options.h"

#include <stdio.h>
#include <string.h>

/* ---- what may be typed ---- */

static const char *kind_of(const struct ctl_option *option)
{
	if (!strcmp(option->argument, "IF"))
		return "interface";
	return !strcmp(option->argument, "PATH") || !strcmp(option->argument, "FILE")
		   ? "file"
		   : "other";
}

static bool is_letter_taken(char letter, const struct command *command)
{
	for (unsigned i = 0; command && i < n_ctl_options; i++)
		if (ctl_option_rows[i].letter == letter &&
		    option_is_of(&ctl_option_rows[i], command))
			return true;
	return false;
}

/* The options of owner as they are typed behind command, whose own go before all others. */
static void put_options(const struct command *owner, const struct command *command,
			bool with_kinds)
{
	for (unsigned i = 0; i < n_ctl_options; i++) {
		const struct ctl_option *option = &ctl_option_rows[i];
		if (!option_is_of(option, owner) || (with_kinds && !option->argument))
			continue;
		const char *kind = with_kinds ? kind_of(option) : "";
		const char *colon = with_kinds ? ":" : "";
		if (owner || !is_letter_taken(option->letter, command))
			printf(" -%c%s%s", option->letter, colon, kind);
		printf(" --%s%s%s", option->name, colon, kind);
	}
}

static void put_assignment(const char *name, const struct command *command, bool with_kinds)
{
	printf("\t\t%s='", name);
	if (command)
		put_options(command, command, with_kinds);
	put_options(NULL, command, with_kinds);
	puts(" '");
}

static void put_words(const char *name, const char *const *words)
{
	printf("\t\t%s='", name);
	for (unsigned i = 0; words && words[i]; i++)
		printf("%s%s", i ? " " : "", words[i]);
	puts("'");
}

/* Is the name's beginning of len bytes that of no other command? */
static bool is_unambiguous(const struct command *command, size_t len)
{
	for (unsigned i = 0; i < n_commands; i++)
		if (&commands[i] != command &&
		    !strncmp(commands[i].name, command->name, len))
			return false;
	return true;
}

/* A command goes by its beginnings, too: "moni|monit|monito|monitor)". */
static void put_pattern(const struct command *command)
{
	putchar('\t');
	for (size_t len = 1; len < strlen(command->name); len++)
		if (is_unambiguous(command, len))
			printf("%.*s|", (int)len, command->name);
	printf("%s)\n", command->name);
}

static void put_case(const struct command *command)
{
	if (command)
		put_pattern(command);
	else
		puts("\t*)");
	put_assignment("flags", command, false);
	put_assignment("valued", command, true);
	put_words("first", command ? command->words : NULL);
	put_words("pairs", command ? command->keys : NULL);
	printf("\t\tnests=%s ;;\n",
	       command && command->traits & COMMAND_NESTS ? "yes" : "");
}

static void put_tables(void)
{
	puts("_etherconnctl_of() # COMMAND: what may stand behind it\n{\n\tcase $1 in");
	for (unsigned i = 0; i < n_commands; i++)
		put_case(&commands[i]);
	put_case(NULL);
	puts("\tesac\n}\n");
	printf("_etherconnctl_commands='");
	for (unsigned i = 0; i < n_commands; i++)
		printf("%s%s", i ? " " : "", commands[i].name);
	puts("'\n");
}

/* ---- the walk ---- */

static const char walk[] =
    "_etherconnctl_kind() # OPTION: what its value is, if it takes one\n"
    "{\n"
    "\tcase \"$valued\" in\n"
    "\t*\" $1:interface \"*) kind=interface ;;\n"
    "\t*\" $1:file \"*) kind='file' ;;\n"
    "\t*\" $1:other \"*) kind=other ;;\n"
    "\tesac\n"
    "}\n"
    "\n"
    "# CURRENT WORD...: what may become of the current word behind these; sets kind or "
    "offer\n"
    "_etherconnctl_walk()\n"
    "{\n"
    "\tlocal current=$1 found='' n=0 last='' word\n"
    "\tshift\n"
    "\t_etherconnctl_of ''\n"
    "\tfor word; do\n"
    "\t\tif [ -n \"$kind\" ]; then\n"
    "\t\t\tkind=\n"
    "\t\t\tcontinue\n"
    "\t\tfi\n"
    "\t\tcase $word in\n"
    "\t\t-*) _etherconnctl_kind \"$word\" ;;\n"
    "\t\t*)\n"
    "\t\t\tif [ -z \"$found\" ] || [ -n \"$nests\" ]; then\n"
    "\t\t\t\tfound=$word\n"
    "\t\t\t\t_etherconnctl_of \"$word\"\n"
    "\t\t\telse\n"
    "\t\t\t\tn=$((n + 1))\n"
    "\t\t\t\tlast=$word\n"
    "\t\t\tfi ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\t[ -z \"$kind\" ] || return 0\n"
    "\tcase $current in -*)\n"
    "\t\toffer=$flags\n"
    "\t\treturn 0 ;;\n"
    "\tesac\n"
    "\tif [ -z \"$found\" ] || [ -n \"$nests\" ]; then\n"
    "\t\toffer=$_etherconnctl_commands\n"
    "\telif [ -n \"$first\" ] && [ \"$n\" = 0 ]; then\n"
    "\t\toffer=$first\n"
    "\telif [ -n \"$pairs\" ]; then\n"
    "\t\t[ -z \"$first\" ] || n=$((n - 1))\n"
    "\t\tif [ $((n % 2)) = 0 ]; then\n"
    "\t\t\toffer=$pairs\n"
    "\t\telif [ \"$last\" = interface ]; then\n"
    "\t\t\tkind=interface\n"
    "\t\tfi\n"
    "\tfi\n"
    "}\n";

/* ---- the shells ---- */

/* Read from the line itself: COMP_WORDS is cut at the colons of MAC addresses. */
static const char bash_end[] =
    "\n"
    "_etherconnctl()\n"
    "{\n"
    "\tlocal flags valued first pairs nests kind='' offer='' current='' line\n"
    "\tread -ra line <<<\"${COMP_LINE:0:COMP_POINT}\"\n"
    "\tcase ${COMP_LINE:0:COMP_POINT} in *[![:space:]])\n"
    "\t\tcurrent=${line[${#line[@]} - 1]}\n"
    "\t\tunset \"line[${#line[@]} - 1]\" ;;\n"
    "\tesac\n"
    "\t_etherconnctl_walk \"$current\" \"${line[@]:1}\"\n"
    "\tcase $kind in\n"
    "\tinterface) offer=$(ls /sys/class/net) ;;\n"
    "\tfile)\n"
    "\t\tcompopt -o filenames 2>/dev/null\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
    "\t\treturn 0 ;;\n"
    "\tesac\n"
    "\tmapfile -t COMPREPLY < <(compgen -W \"$offer\" -- \"$current\")\n"
    "}\n"
    "\n"
    "complete -F _etherconnctl etherconnctl\n";

/* Loaded by compinit as a function's body, or sourced. */
static const char zsh_end[] =
    "\n"
    "_etherconnctl()\n"
    "{\n"
    "\tlocal flags valued first pairs nests kind='' offer=''\n"
    "\t_etherconnctl_walk \"${words[CURRENT]}\" \"${(@)words[2,CURRENT-1]}\"\n"
    "\tcase $kind in\n"
    "\tinterface) compadd -- /sys/class/net/*(N:t) ;;\n"
    "\tfile) _files ;;\n"
    "\tother) return 1 ;;\n"
    "\t*)\n"
    "\t\tif [ \"$offer\" = \"$_etherconnctl_commands\" ]; then\n"
    "\t\t\t_describe command _etherconnctl_described\n"
    "\t\telse\n"
    "\t\t\tcompadd -- ${=offer}\n"
    "\t\tfi ;;\n"
    "\tesac\n"
    "}\n"
    "\n"
    "if [ \"$funcstack[1]\" = _etherconnctl ]; then\n"
    "\t_etherconnctl \"$@\"\n"
    "else\n"
    "\tcompdef _etherconnctl etherconnctl\n"
    "fi\n";

static void put_bash(void)
{
	puts("# bash completion for etherconnctl(8), made by `etherconnctl completion "
	     "bash`.\n"
	     "# shellcheck shell=bash disable=SC2034,SC2154\n");
	put_tables();
	fputs(walk, stdout);
	fputs(bash_end, stdout);
}

/* Texts stand between single quotes. */
static void put_quoted(const char *text)
{
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
}

static void put_zsh(void)
{
	puts("#compdef etherconnctl\n"
	     "# zsh completion for etherconnctl(8), made by `etherconnctl completion "
	     "zsh`.\n");
	put_tables();
	puts("_etherconnctl_described=(");
	for (unsigned i = 0; i < n_commands; i++) {
		printf("\t'%s:", commands[i].name);
		put_quoted(commands[i].text);
		puts("'");
	}
	puts(")\n");
	fputs(walk, stdout);
	fputs(zsh_end, stdout);
}

/* ---- the command ---- */

const char *const completion_shells[] = {"bash", "zsh", NULL};

enum ctl_exit cmd_completion(struct ctl *ctl, int argc, char **argv)
{
	(void)ctl;
	if (argc != 1)
		return ctl_complain(CTL_USAGE, "completion bash|zsh");
	int shell = ctl_word(completion_shells, argv[0]);
	if (shell < 0)
		return CTL_USAGE;
	if (shell == 0)
		put_bash();
	else
		put_zsh();
	return CTL_OK;
}
