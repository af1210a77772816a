# SPDX-License-Identifier: GPL-2.0-or-later
# A source with one patch applied: SOURCE, PATCH, OUTPUT.
get_filename_component(directory ${OUTPUT} DIRECTORY)
file(MAKE_DIRECTORY ${directory})
execute_process(COMMAND patch --silent --output=${OUTPUT} ${SOURCE} ${PATCH} RESULT_VARIABLE failed)
if(failed)
  file(REMOVE ${OUTPUT})
  message(FATAL_ERROR "${PATCH} does not fit ${SOURCE} any more: put the trap back by hand, and make the patch anew")
endif()
