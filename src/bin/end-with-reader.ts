// For the commands that print: `pop3-ctl … | head` has read enough, which is no fault.

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
