# SPDX-License-Identifier: Apache-2.0
# notices.awk - the notices of object definitions, each once, with the files that carry it
#
# The compiled table is made from these files and has to be accompanied by what their licences ask for.
function done() {
	sub(/\n+$/, "", text)
	if (text ~ /Copyright|License/ && !(FILENAME in has)) {
		has[FILENAME] = 1
		if (!(text in files))
			order[++count] = text
		name = FILENAME
		sub(/^.*objects\//, "", name)
		files[text] = files[text] " " name
	}
	inside = 0
}
{ sub(/\r$/, "") }
FNR == 1 { inside = 0 }
!inside && /<!--/ { inside = 1; text = ""; sub(/^.*<!--/, "") }
inside {
	last = sub(/-->.*$/, "")
	gsub(/^[ \t]+|[ \t]+$/, "")
	if (text || /LEGAL DISCLAIMER|Copyright|License/) # the history of the file stands before
		text = text $0 "\n"
	if (last)
		done()
}
END {
	print "niddgw carries names, types and units from definitions of LwM2M objects (src/lwm2m/objects/). Their notices:"
	for (i = 1; i <= count; i++) {
		print "\n========\n" files[order[i]] "\n"
		print order[i]
	}
}
