// Package crash breaks a daemon at named points when it was built with the tag crashpoints, and does nothing
// otherwise.
//
// The environment of such a build says what is to happen:
//
//	CRASH_POINT=before-ack:3   the process dies by SIGKILL the third time it comes to the point before-ack; a file
//	                              operation's name is the point before it, with a + the point after it, and write~ dies
//	                              with half of the data written
//	CRASH_TOKENS=5,7     a model run that holds one of these tokens touches memory that is not its own, in native code
//	CRASH_FILES=7:100    about one file operation in a hundred fails (EIO, ENOSPC or half written), from seed 7
//	CRASH_CLOCK=7        the tables' clock jumps back and forth by hours, from seed 7
//
// Each is told on standard error when it happens, in a line that begins with "crashpoint ".
package crash
