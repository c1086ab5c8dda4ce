{
 "patcher": {
  "fileversion": 1,
  "appversion": {
   "major": 8,
   "minor": 6,
   "revision": 5,
   "architecture": "x64",
   "modernui": 1
  },
  "classnamespace": "box",
  "rect": [
   80.0,
   100.0,
   740.0,
   470.0
  ],
  "bglocked": 0,
  "openinpresentation": 1,
  "default_fontsize": 12.0,
  "default_fontface": 0,
  "default_fontname": "Arial",
  "gridonopen": 1,
  "gridsize": [
   15.0,
   15.0
  ],
  "gridsnaponopen": 1,
  "objectsnaponopen": 1,
  "statusbarvisible": 2,
  "toolbarvisible": 1,
  "boxes": [
   {
    "box": {
     "id": "obj-1",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      20.0,
      65.2,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-out"
    }
   },
   {
    "box": {
     "id": "obj-2",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 2,
     "patching_rect": [
      20.0,
      56.0,
      199.60000000000002,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "vocaldm.client 127.0.0.1 9750"
    }
   },
   {
    "box": {
     "id": "obj-3",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      92.0,
      58.800000000000004,
      22.0
     ],
     "text": "s #0-in"
    }
   },
   {
    "box": {
     "id": "obj-4",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      220.0,
      92.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-5",
     "maxclass": "outlet",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      240.0,
      30.0,
      30.0
     ],
     "comment": "events: /vocaldm/ready id ...",
     "index": 1
    }
   },
   {
    "box": {
     "id": "obj-6",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      200.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-7",
     "maxclass": "inlet",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      220.0,
      170.0,
      30.0,
      30.0
     ],
     "outlettype": [
      ""
     ],
     "comment": "commands: /vocaldm/record 1 ...",
     "index": 1
    }
   },
   {
    "box": {
     "id": "obj-8",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      220.0,
      218.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-9",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 9,
     "patching_rect": [
      480.0,
      56.0,
      148.4,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "",
      "",
      "",
      "",
      "",
      "",
      ""
     ],
     "text": "js vocaldm.session.js"
    }
   },
   {
    "box": {
     "id": "obj-10",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      20.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-session"
    }
   },
   {
    "box": {
     "id": "obj-11",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      630.0,
      20.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-12",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      480.0,
      92.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-13",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      585.0,
      110.0,
      78.0,
      22.0
     ],
     "text": "s #0-state"
    }
   },
   {
    "box": {
     "id": "obj-14",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      690.0,
      128.0,
      71.6,
      22.0
     ],
     "text": "s #0-news"
    }
   },
   {
    "box": {
     "id": "obj-15",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      795.0,
      146.0,
      97.2,
      22.0
     ],
     "text": "s #0-progress"
    }
   },
   {
    "box": {
     "id": "obj-16",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      900.0,
      164.0,
      78.0,
      22.0
     ],
     "text": "s #0-stage"
    }
   },
   {
    "box": {
     "id": "obj-17",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1005.0,
      182.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-history"
    }
   },
   {
    "box": {
     "id": "obj-18",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1110.0,
      200.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-presets"
    }
   },
   {
    "box": {
     "id": "obj-19",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1215.0,
      218.0,
      71.6,
      22.0
     ],
     "text": "s #0-clip"
    }
   },
   {
    "box": {
     "id": "obj-20",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1320.0,
      236.0,
      71.6,
      22.0
     ],
     "text": "s #0-lock"
    }
   },
   {
    "box": {
     "id": "obj-21",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      360.0,
      78.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-state"
    }
   },
   {
    "box": {
     "id": "obj-22",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      396.0,
      588.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      140.0,
      8.0,
      588.0,
      22.0
     ],
     "text": "Not connected yet.",
     "fontsize": 11.0,
     "bgcolor": [
      0.97,
      0.97,
      0.97,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-23",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      432.0,
      71.6,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-news"
    }
   },
   {
    "box": {
     "id": "obj-24",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      468.0,
      716.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      34.0,
      716.0,
      22.0
     ],
     "text": "Hold record, imitate a sound, let go.",
     "fontsize": 11.0,
     "bgcolor": [
      0.97,
      0.97,
      0.97,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-25",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      360.0,
      97.2,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-progress"
    }
   },
   {
    "box": {
     "id": "obj-26",
     "maxclass": "slider",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      396.0,
      480.0,
      14.0
     ],
     "outlettype": [
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      268.0,
      480.0,
      14.0
     ],
     "orientation": 1,
     "floatoutput": 1,
     "size": 1.0,
     "ignoreclick": 1,
     "knobshape": 5
    }
   },
   {
    "box": {
     "id": "obj-27",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      432.0,
      78.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-stage"
    }
   },
   {
    "box": {
     "id": "obj-28",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      940.0,
      468.0,
      120.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      500.0,
      264.0,
      120.0,
      22.0
     ],
     "text": "idle",
     "fontsize": 11.0,
     "bgcolor": [
      0.97,
      0.97,
      0.97,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-29",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      20.0,
      700.0,
      96.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      632.0,
      264.0,
      96.0,
      22.0
     ],
     "text": "cancel",
     "texton": "cancel",
     "mode": 0,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-30",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      736.0,
      110.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "/vocaldm/cancel"
    }
   },
   {
    "box": {
     "id": "obj-31",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      772.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-32",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      250.0,
      700.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-history"
    }
   },
   {
    "box": {
     "id": "obj-33",
     "maxclass": "chooser",
     "numinlets": 1,
     "numoutlets": 6,
     "patching_rect": [
      250.0,
      736.0,
      300.0,
      116.0
     ],
     "outlettype": [
      "",
      "",
      "",
      "",
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      314.0,
      300.0,
      116.0
     ],
     "headerheight": 0,
     "fontsize": 11.0,
     "multiselect": 0
    }
   },
   {
    "box": {
     "id": "obj-34",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      250.0,
      874.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend pick"
    }
   },
   {
    "box": {
     "id": "obj-35",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      250.0,
      910.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-36",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      400.0,
      874.0,
      39.6,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "play"
    }
   },
   {
    "box": {
     "id": "obj-37",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      400.0,
      910.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-38",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      700.0,
      71.6,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-clip"
    }
   },
   {
    "box": {
     "id": "obj-39",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 5,
     "patching_rect": [
      710.0,
      736.0,
      180.4,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "",
      "",
      ""
     ],
     "text": "route read play shown clip"
    }
   },
   {
    "box": {
     "id": "obj-40",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      772.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend read"
    }
   },
   {
    "box": {
     "id": "obj-41",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      710.0,
      808.0,
      84.4,
      22.0
     ],
     "text": "s #0-player"
    }
   },
   {
    "box": {
     "id": "obj-42",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      820.0,
      794.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend play"
    }
   },
   {
    "box": {
     "id": "obj-43",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      820.0,
      830.0,
      84.4,
      22.0
     ],
     "text": "s #0-player"
    }
   },
   {
    "box": {
     "id": "obj-44",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      930.0,
      772.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-45",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      930.0,
      808.0,
      342.0,
      20.0
     ],
     "presentation": 1,
     "presentation_rect": [
      386.0,
      292.0,
      342.0,
      20.0
     ],
     "text": "No clip yet.",
     "fontsize": 10.0,
     "bgcolor": [
      0.97,
      0.97,
      0.97,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-46",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      130.0,
      1040.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-47",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      130.0,
      1076.0,
      84.4,
      22.0
     ],
     "text": "s #0-player"
    }
   },
   {
    "box": {
     "id": "obj-48",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      1112.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-player"
    }
   },
   {
    "box": {
     "id": "obj-49",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      20.0,
      1148.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      "signal",
      ""
     ],
     "text": "vocaldm.clip"
    }
   },
   {
    "box": {
     "id": "obj-50",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      270.0,
      1184.0,
      135.60000000000002,
      22.0
     ],
     "outlettype": [
      "",
      "",
      ""
     ],
     "text": "route loaded failed"
    }
   },
   {
    "box": {
     "id": "obj-51",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      270.0,
      1220.0,
      78.0,
      22.0
     ],
     "outlettype": [
      "int",
      ""
     ],
     "text": "unpack i s"
    }
   },
   {
    "box": {
     "id": "obj-52",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      270.0,
      1256.0,
      103.60000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend loaded"
    }
   },
   {
    "box": {
     "id": "obj-53",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      270.0,
      1292.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-54",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      390.0,
      1256.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-55",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      390.0,
      1292.0,
      71.6,
      22.0
     ],
     "text": "s #0-wave"
    }
   },
   {
    "box": {
     "id": "obj-56",
     "maxclass": "live.gain~",
     "numinlets": 2,
     "numoutlets": 5,
     "patching_rect": [
      20.0,
      1220.0,
      222.0,
      30.0
     ],
     "outlettype": [
      "signal",
      "signal",
      "",
      "float",
      "list"
     ],
     "presentation": 1,
     "presentation_rect": [
      506.0,
      434.0,
      222.0,
      30.0
     ],
     "orientation": 1,
     "fontsize": 10.0,
     "parameter_enable": 1,
     "saved_attribute_attributes": {
      "valueof": {
       "parameter_longname": "Gain",
       "parameter_shortname": "gain",
       "parameter_type": 0,
       "parameter_mmin": -70.0,
       "parameter_mmax": 6.0,
       "parameter_initial": [
        0.0
       ],
       "parameter_initial_enable": 0,
       "parameter_unitstyle": 4,
       "parameter_linknames": 1
      }
     },
     "varname": "Gain"
    }
   },
   {
    "box": {
     "id": "obj-57",
     "maxclass": "outlet",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      40.0,
      1300.0,
      30.0,
      30.0
     ],
     "comment": "the sound",
     "index": 1
    }
   },
   {
    "box": {
     "id": "obj-58",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      1040.0,
      71.6,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-wave"
    }
   },
   {
    "box": {
     "id": "obj-59",
     "maxclass": "waveform~",
     "numinlets": 5,
     "numoutlets": 6,
     "patching_rect": [
      710.0,
      1076.0,
      406.0,
      116.0
     ],
     "outlettype": [
      "float",
      "float",
      "float",
      "float",
      "list",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      322.0,
      314.0,
      406.0,
      116.0
     ],
     "bgcolor": [
      0.97,
      0.97,
      0.97,
      1.0
     ],
     "waveformcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "setmode": 0,
     "ignoreclick": 1
    }
   },
   {
    "box": {
     "id": "obj-60",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      1380.0,
      120.0,
      44.0
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      84.0,
      120.0,
      44.0
     ],
     "text": "hold to record",
     "textjustification": 1,
     "fontsize": 14.0,
     "bgcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.97,
      0.97,
      0.97,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-61",
     "maxclass": "ubutton",
     "numinlets": 1,
     "numoutlets": 4,
     "patching_rect": [
      170.0,
      1380.0,
      40.0,
      40.0
     ],
     "outlettype": [
      "bang",
      "bang",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      84.0,
      120.0,
      44.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-62",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      170.0,
      1452.0,
      122.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "/vocaldm/record 0"
    }
   },
   {
    "box": {
     "id": "obj-63",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      170.0,
      1524.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-64",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      220.0,
      1488.0,
      122.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "/vocaldm/record 1"
    }
   },
   {
    "box": {
     "id": "obj-65",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      220.0,
      1560.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-66",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      1380.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-67",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      480.0,
      1416.0,
      167.60000000000002,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/recording"
    }
   },
   {
    "box": {
     "id": "obj-68",
     "maxclass": "led",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      1452.0,
      24.0,
      24.0
     ],
     "outlettype": [
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      140.0,
      94.0,
      24.0,
      24.0
     ],
     "oncolor": [
      0.85,
      0.2,
      0.2,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-69",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      1380.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-70",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      710.0,
      1416.0,
      167.60000000000002,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/listening"
    }
   },
   {
    "box": {
     "id": "obj-71",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      1452.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-72",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      710.0,
      1488.0,
      120.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      134.0,
      120.0,
      22.0
     ],
     "text": "listen",
     "texton": "listening",
     "mode": 1,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-73",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      1524.0,
      161.20000000000002,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/listen"
    }
   },
   {
    "box": {
     "id": "obj-74",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      710.0,
      1560.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-75",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      1488.0,
      40.0,
      22.0
     ],
     "outlettype": [
      "float"
     ],
     "text": "f 4."
    }
   },
   {
    "box": {
     "id": "obj-76",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      940.0,
      1416.0,
      120.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      162.0,
      120.0,
      22.0
     ],
     "text": "capture the last",
     "texton": "capture the last",
     "mode": 0,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-77",
     "maxclass": "flonum",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1080.0,
      1416.0,
      50.0,
      22.0
     ],
     "outlettype": [
      "",
      "bang"
     ],
     "presentation": 1,
     "presentation_rect": [
      138.0,
      162.0,
      50.0,
      22.0
     ],
     "minimum": 0.1,
     "maximum": 60.0,
     "numdecimalplaces": 1,
     "fontsize": 11.0
    }
   },
   {
    "box": {
     "id": "obj-78",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      1020.0,
      1380.0,
      129.2,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-start-seconds"
    }
   },
   {
    "box": {
     "id": "obj-79",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      1524.0,
      167.60000000000002,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/capture"
    }
   },
   {
    "box": {
     "id": "obj-80",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      940.0,
      1560.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-81",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      1170.0,
      1380.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-82",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1170.0,
      1416.0,
      167.60000000000002,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/mic/level"
    }
   },
   {
    "box": {
     "id": "obj-83",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      1170.0,
      1452.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      "float",
      "float",
      "int"
     ],
     "text": "unpack f f i"
    }
   },
   {
    "box": {
     "id": "obj-84",
     "maxclass": "slider",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1170.0,
      1524.0,
      172.0,
      14.0
     ],
     "outlettype": [
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      192.0,
      172.0,
      14.0
     ],
     "orientation": 1,
     "floatoutput": 1,
     "size": 70.0,
     "min": -70.0,
     "ignoreclick": 1
    }
   },
   {
    "box": {
     "id": "obj-85",
     "maxclass": "led",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1320.0,
      1488.0,
      18.0,
      18.0
     ],
     "outlettype": [
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      190.0,
      190.0,
      18.0,
      18.0
     ],
     "oncolor": [
      0.2,
      0.65,
      0.3,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-86",
     "maxclass": "dropfile",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1400.0,
      1380.0,
      72.0,
      44.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      212.0,
      72.0,
      44.0
     ],
     "border": 1.0,
     "bordercolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "rounded": 6.0
    }
   },
   {
    "box": {
     "id": "obj-87",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1400.0,
      1452.0,
      154.8,
      22.0
     ],
     "outlettype": [
      "",
      "int"
     ],
     "text": "conformpath slash boot"
    }
   },
   {
    "box": {
     "id": "obj-88",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1400.0,
      1488.0,
      116.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend generate"
    }
   },
   {
    "box": {
     "id": "obj-89",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1400.0,
      1524.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-90",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      1936.0,
      193.20000000000002,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/steps"
    }
   },
   {
    "box": {
     "id": "obj-91",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      1972.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-92",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      1720.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-93",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      20.0,
      1756.0,
      180.4,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/steps"
    }
   },
   {
    "box": {
     "id": "obj-94",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      1792.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-95",
     "maxclass": "live.dial",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      20.0,
      1828.0,
      56.0,
      48.0
     ],
     "outlettype": [
      "",
      "float"
     ],
     "presentation": 1,
     "presentation_rect": [
      284.0,
      84.0,
      56.0,
      48.0
     ],
     "activedialcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "parameter_enable": 1,
     "saved_attribute_attributes": {
      "valueof": {
       "parameter_longname": "Steps",
       "parameter_shortname": "steps",
       "parameter_type": 1,
       "parameter_mmin": 1,
       "parameter_mmax": 200,
       "parameter_initial": [
        1
       ],
       "parameter_initial_enable": 0,
       "parameter_unitstyle": 0,
       "parameter_linknames": 1
      }
     },
     "varname": "Steps"
    }
   },
   {
    "box": {
     "id": "obj-96",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      250.0,
      1936.0,
      212.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/guidance"
    }
   },
   {
    "box": {
     "id": "obj-97",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      250.0,
      1972.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-98",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      250.0,
      1720.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-99",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      250.0,
      1756.0,
      199.60000000000002,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/guidance"
    }
   },
   {
    "box": {
     "id": "obj-100",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      250.0,
      1792.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-101",
     "maxclass": "live.dial",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      250.0,
      1828.0,
      56.0,
      48.0
     ],
     "outlettype": [
      "",
      "float"
     ],
     "presentation": 1,
     "presentation_rect": [
      226.0,
      84.0,
      56.0,
      48.0
     ],
     "activedialcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "parameter_enable": 1,
     "saved_attribute_attributes": {
      "valueof": {
       "parameter_longname": "Guidance",
       "parameter_shortname": "guidance",
       "parameter_type": 0,
       "parameter_mmin": 0.0,
       "parameter_mmax": 20,
       "parameter_initial": [
        0.0
       ],
       "parameter_initial_enable": 0,
       "parameter_unitstyle": 1,
       "parameter_linknames": 1
      }
     },
     "varname": "Guidance"
    }
   },
   {
    "box": {
     "id": "obj-102",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      1936.0,
      199.60000000000002,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/follow"
    }
   },
   {
    "box": {
     "id": "obj-103",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      480.0,
      1972.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-104",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      1720.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-105",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      480.0,
      1756.0,
      186.8,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/follow"
    }
   },
   {
    "box": {
     "id": "obj-106",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      1792.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-107",
     "maxclass": "live.dial",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      480.0,
      1828.0,
      56.0,
      48.0
     ],
     "outlettype": [
      "",
      "float"
     ],
     "presentation": 1,
     "presentation_rect": [
      342.0,
      84.0,
      56.0,
      48.0
     ],
     "activedialcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "parameter_enable": 1,
     "saved_attribute_attributes": {
      "valueof": {
       "parameter_longname": "Follow",
       "parameter_shortname": "follow",
       "parameter_type": 0,
       "parameter_mmin": 0.0,
       "parameter_mmax": 1,
       "parameter_initial": [
        0.0
       ],
       "parameter_initial_enable": 0,
       "parameter_unitstyle": 1,
       "parameter_linknames": 1
      }
     },
     "varname": "Follow"
    }
   },
   {
    "box": {
     "id": "obj-108",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      1936.0,
      212.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/strength"
    }
   },
   {
    "box": {
     "id": "obj-109",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      710.0,
      1972.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-110",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      1720.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-111",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      710.0,
      1756.0,
      199.60000000000002,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/strength"
    }
   },
   {
    "box": {
     "id": "obj-112",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      1792.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-113",
     "maxclass": "live.dial",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      710.0,
      1828.0,
      56.0,
      48.0
     ],
     "outlettype": [
      "",
      "float"
     ],
     "presentation": 1,
     "presentation_rect": [
      400.0,
      84.0,
      56.0,
      48.0
     ],
     "activedialcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "parameter_enable": 1,
     "saved_attribute_attributes": {
      "valueof": {
       "parameter_longname": "Strength",
       "parameter_shortname": "strength",
       "parameter_type": 0,
       "parameter_mmin": 0.0,
       "parameter_mmax": 1,
       "parameter_initial": [
        0.0
       ],
       "parameter_initial_enable": 0,
       "parameter_unitstyle": 1,
       "parameter_linknames": 1
      }
     },
     "varname": "Strength"
    }
   },
   {
    "box": {
     "id": "obj-114",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      1936.0,
      206.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/sampler"
    }
   },
   {
    "box": {
     "id": "obj-115",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      940.0,
      1972.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-116",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      1720.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-117",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      940.0,
      1756.0,
      193.20000000000002,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/sampler"
    }
   },
   {
    "box": {
     "id": "obj-118",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      1792.0,
      122.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend setsymbol"
    }
   },
   {
    "box": {
     "id": "obj-119",
     "maxclass": "umenu",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      940.0,
      1828.0,
      136.0,
      22.0
     ],
     "outlettype": [
      "int",
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      226.0,
      218.0,
      136.0,
      22.0
     ],
     "items": [
      "ddim",
      ",",
      "dpm_solver_pp_2m",
      ",",
      "deis",
      ",",
      "ipndm"
     ],
     "fontsize": 11.0
    }
   },
   {
    "box": {
     "id": "obj-120",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1170.0,
      1936.0,
      180.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/eta"
    }
   },
   {
    "box": {
     "id": "obj-121",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1170.0,
      1972.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-122",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      1170.0,
      1720.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-123",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1170.0,
      1756.0,
      167.60000000000002,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/eta"
    }
   },
   {
    "box": {
     "id": "obj-124",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1170.0,
      1792.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-125",
     "maxclass": "live.dial",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1170.0,
      1828.0,
      56.0,
      48.0
     ],
     "outlettype": [
      "",
      "float"
     ],
     "presentation": 1,
     "presentation_rect": [
      226.0,
      140.0,
      56.0,
      48.0
     ],
     "activedialcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "parameter_enable": 1,
     "saved_attribute_attributes": {
      "valueof": {
       "parameter_longname": "Eta",
       "parameter_shortname": "eta",
       "parameter_type": 0,
       "parameter_mmin": 0.0,
       "parameter_mmax": 1,
       "parameter_initial": [
        0.0
       ],
       "parameter_initial_enable": 0,
       "parameter_unitstyle": 1,
       "parameter_linknames": 1
      }
     },
     "varname": "Eta"
    }
   },
   {
    "box": {
     "id": "obj-126",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1400.0,
      1936.0,
      225.20000000000002,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/variations"
    }
   },
   {
    "box": {
     "id": "obj-127",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1400.0,
      1972.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-128",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      1400.0,
      1720.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-129",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1400.0,
      1756.0,
      212.4,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/variations"
    }
   },
   {
    "box": {
     "id": "obj-130",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1400.0,
      1792.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-131",
     "maxclass": "live.dial",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1400.0,
      1828.0,
      56.0,
      48.0
     ],
     "outlettype": [
      "",
      "float"
     ],
     "presentation": 1,
     "presentation_rect": [
      458.0,
      84.0,
      56.0,
      48.0
     ],
     "activedialcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "parameter_enable": 1,
     "saved_attribute_attributes": {
      "valueof": {
       "parameter_longname": "Variations",
       "parameter_shortname": "variations",
       "parameter_type": 1,
       "parameter_mmin": 1,
       "parameter_mmax": 16,
       "parameter_initial": [
        1
       ],
       "parameter_initial_enable": 0,
       "parameter_unitstyle": 0,
       "parameter_linknames": 1
      }
     },
     "varname": "Variations"
    }
   },
   {
    "box": {
     "id": "obj-132",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      2276.0,
      186.8,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/seed"
    }
   },
   {
    "box": {
     "id": "obj-133",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      2312.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-134",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      2060.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-135",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      20.0,
      2096.0,
      174.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/seed"
    }
   },
   {
    "box": {
     "id": "obj-136",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      2132.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-137",
     "maxclass": "number",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      20.0,
      2168.0,
      100.0,
      22.0
     ],
     "outlettype": [
      "",
      "bang"
     ],
     "presentation": 1,
     "presentation_rect": [
      346.0,
      162.0,
      100.0,
      22.0
     ],
     "minimum": -1,
     "maximum": 2147483647,
     "fontsize": 11.0
    }
   },
   {
    "box": {
     "id": "obj-138",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      250.0,
      2060.0,
      71.6,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-lock"
    }
   },
   {
    "box": {
     "id": "obj-139",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      250.0,
      2096.0,
      62.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      452.0,
      162.0,
      62.0,
      22.0
     ],
     "text": "new seeds",
     "texton": "locked",
     "mode": 1,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-140",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      250.0,
      2132.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend lock"
    }
   },
   {
    "box": {
     "id": "obj-141",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      250.0,
      2168.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-142",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      2276.0,
      212.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/duration"
    }
   },
   {
    "box": {
     "id": "obj-143",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      480.0,
      2312.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-144",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      2060.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-145",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      480.0,
      2096.0,
      199.60000000000002,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/duration"
    }
   },
   {
    "box": {
     "id": "obj-146",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      2132.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-147",
     "maxclass": "live.dial",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      480.0,
      2168.0,
      56.0,
      48.0
     ],
     "outlettype": [
      "",
      "float"
     ],
     "presentation": 1,
     "presentation_rect": [
      284.0,
      140.0,
      56.0,
      48.0
     ],
     "activedialcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "parameter_enable": 1,
     "saved_attribute_attributes": {
      "valueof": {
       "parameter_longname": "Duration",
       "parameter_shortname": "duration",
       "parameter_type": 0,
       "parameter_mmin": 0.0,
       "parameter_mmax": 60,
       "parameter_initial": [
        0.0
       ],
       "parameter_initial_enable": 0,
       "parameter_unitstyle": 1,
       "parameter_linknames": 1
      }
     },
     "varname": "Duration"
    }
   },
   {
    "box": {
     "id": "obj-148",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      2060.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-presets"
    }
   },
   {
    "box": {
     "id": "obj-149",
     "maxclass": "umenu",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      710.0,
      2096.0,
      198.0,
      22.0
     ],
     "outlettype": [
      "int",
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      530.0,
      84.0,
      198.0,
      22.0
     ],
     "fontsize": 11.0
    }
   },
   {
    "box": {
     "id": "obj-150",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      2168.0,
      103.60000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend preset"
    }
   },
   {
    "box": {
     "id": "obj-151",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      710.0,
      2204.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-152",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      2276.0,
      186.8,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend /vocaldm/param/text"
    }
   },
   {
    "box": {
     "id": "obj-153",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      940.0,
      2312.0,
      65.2,
      22.0
     ],
     "text": "s #0-out"
    }
   },
   {
    "box": {
     "id": "obj-154",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      2060.0,
      58.800000000000004,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-in"
    }
   },
   {
    "box": {
     "id": "obj-155",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      940.0,
      2096.0,
      174.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route /vocaldm/param/text"
    }
   },
   {
    "box": {
     "id": "obj-156",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      2132.0,
      84.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend set"
    }
   },
   {
    "box": {
     "id": "obj-157",
     "maxclass": "textedit",
     "numinlets": 1,
     "numoutlets": 4,
     "patching_rect": [
      940.0,
      2168.0,
      144.0,
      24.0
     ],
     "outlettype": [
      "",
      "int",
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      370.0,
      218.0,
      144.0,
      24.0
     ],
     "keymode": 1,
     "fontsize": 11.0,
     "bgcolor": [
      0.97,
      0.97,
      0.97,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-158",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      940.0,
      2204.0,
      78.0,
      22.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "text": "route text"
    }
   },
   {
    "box": {
     "id": "obj-159",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      2240.0,
      65.2,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "tosymbol"
    }
   },
   {
    "box": {
     "id": "obj-160",
     "maxclass": "dropfile",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1170.0,
      2060.0,
      72.0,
      44.0
     ],
     "outlettype": [
      "",
      ""
     ],
     "presentation": 1,
     "presentation_rect": [
      530.0,
      140.0,
      72.0,
      44.0
     ],
     "border": 1.0,
     "bordercolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "rounded": 6.0
    }
   },
   {
    "box": {
     "id": "obj-161",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1170.0,
      2132.0,
      154.8,
      22.0
     ],
     "outlettype": [
      "",
      "int"
     ],
     "text": "conformpath slash boot"
    }
   },
   {
    "box": {
     "id": "obj-162",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1170.0,
      2168.0,
      90.80000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend like"
    }
   },
   {
    "box": {
     "id": "obj-163",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1170.0,
      2204.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-164",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      1400.0,
      2060.0,
      96.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      530.0,
      192.0,
      96.0,
      22.0
     ],
     "text": "this clip",
     "texton": "this clip",
     "mode": 0,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-165",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      1400.0,
      2096.0,
      71.6,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "like clip"
    }
   },
   {
    "box": {
     "id": "obj-166",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1400.0,
      2132.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-167",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      20.0,
      2400.0,
      96.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      632.0,
      192.0,
      96.0,
      22.0
     ],
     "text": "own voice",
     "texton": "own voice",
     "mode": 0,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-168",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      20.0,
      2436.0,
      71.6,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "like none"
    }
   },
   {
    "box": {
     "id": "obj-169",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      2472.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-170",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      250.0,
      2400.0,
      66.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      438.0,
      66.0,
      22.0
     ],
     "text": "again",
     "texton": "again",
     "mode": 0,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-171",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      250.0,
      2436.0,
      46.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "again"
    }
   },
   {
    "box": {
     "id": "obj-172",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      250.0,
      2472.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-173",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      480.0,
      2400.0,
      62.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      250.0,
      438.0,
      62.0,
      22.0
     ],
     "text": "star",
     "texton": "star",
     "mode": 0,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-174",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      480.0,
      2436.0,
      39.6,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "star"
    }
   },
   {
    "box": {
     "id": "obj-175",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      480.0,
      2472.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-176",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      710.0,
      2400.0,
      70.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      322.0,
      438.0,
      70.0,
      22.0
     ],
     "text": "play",
     "texton": "play",
     "mode": 0,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-177",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      710.0,
      2436.0,
      39.6,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "play"
    }
   },
   {
    "box": {
     "id": "obj-178",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      710.0,
      2472.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-179",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      940.0,
      2400.0,
      100.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      398.0,
      438.0,
      100.0,
      22.0
     ],
     "text": "play new",
     "texton": "plays new",
     "mode": 1,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-180",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      940.0,
      2436.0,
      110.0,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend playnew"
    }
   },
   {
    "box": {
     "id": "obj-181",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      940.0,
      2472.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-182",
     "maxclass": "newobj",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      1170.0,
      2508.0,
      40.0,
      22.0
     ],
     "outlettype": [
      "int"
     ],
     "text": "i 20"
    }
   },
   {
    "box": {
     "id": "obj-183",
     "maxclass": "textbutton",
     "numinlets": 1,
     "numoutlets": 3,
     "patching_rect": [
      1170.0,
      2436.0,
      66.0,
      22.0
     ],
     "outlettype": [
      "",
      "",
      "int"
     ],
     "presentation": 1,
     "presentation_rect": [
      84.0,
      438.0,
      66.0,
      22.0
     ],
     "text": "refine to",
     "texton": "refine to",
     "mode": 0,
     "fontsize": 11.0,
     "rounded": 4.0,
     "bgcolor": [
      0.86,
      0.86,
      0.86,
      1.0
     ],
     "bgoncolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ],
     "textcolor": [
      0.11,
      0.11,
      0.11,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-184",
     "maxclass": "number",
     "numinlets": 1,
     "numoutlets": 2,
     "patching_rect": [
      1310.0,
      2436.0,
      44.0,
      22.0
     ],
     "outlettype": [
      "",
      "bang"
     ],
     "presentation": 1,
     "presentation_rect": [
      154.0,
      438.0,
      44.0,
      22.0
     ],
     "minimum": 1,
     "maximum": 200,
     "fontsize": 11.0
    }
   },
   {
    "box": {
     "id": "obj-185",
     "maxclass": "newobj",
     "numinlets": 0,
     "numoutlets": 1,
     "patching_rect": [
      1250.0,
      2400.0,
      116.4,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "r #0-start-steps"
    }
   },
   {
    "box": {
     "id": "obj-186",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1170.0,
      2544.0,
      103.60000000000001,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "prepend refine"
    }
   },
   {
    "box": {
     "id": "obj-187",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1170.0,
      2580.0,
      90.80000000000001,
      22.0
     ],
     "text": "s #0-session"
    }
   },
   {
    "box": {
     "id": "obj-188",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 1,
     "patching_rect": [
      1400.0,
      2400.0,
      65.2,
      22.0
     ],
     "outlettype": [
      "bang"
     ],
     "text": "loadbang"
    }
   },
   {
    "box": {
     "id": "obj-189",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      1400.0,
      2436.0,
      52.400000000000006,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "set 20"
    }
   },
   {
    "box": {
     "id": "obj-190",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1400.0,
      2472.0,
      116.4,
      22.0
     ],
     "text": "s #0-start-steps"
    }
   },
   {
    "box": {
     "id": "obj-191",
     "maxclass": "message",
     "numinlets": 2,
     "numoutlets": 1,
     "patching_rect": [
      1500.0,
      2436.0,
      52.400000000000006,
      22.0
     ],
     "outlettype": [
      ""
     ],
     "text": "set 4."
    }
   },
   {
    "box": {
     "id": "obj-192",
     "maxclass": "newobj",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      1460.0,
      2494.0,
      129.2,
      22.0
     ],
     "text": "s #0-start-seconds"
    }
   },
   {
    "box": {
     "id": "obj-193",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      3080.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      62.0,
      120.0,
      20.0
     ],
     "text": "Gesture",
     "fontsize": 13.0,
     "fontface": 1,
     "textcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-194",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      260.0,
      3080.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      226.0,
      62.0,
      120.0,
      20.0
     ],
     "text": "Parameters",
     "fontsize": 13.0,
     "fontface": 1,
     "textcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-195",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      500.0,
      3080.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      530.0,
      62.0,
      120.0,
      20.0
     ],
     "text": "Preset",
     "fontsize": 13.0,
     "fontface": 1,
     "textcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-196",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      740.0,
      3080.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      530.0,
      118.0,
      120.0,
      20.0
     ],
     "text": "Like",
     "fontsize": 13.0,
     "fontface": 1,
     "textcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-197",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      980.0,
      3080.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      292.0,
      120.0,
      20.0
     ],
     "text": "History",
     "fontsize": 13.0,
     "fontface": 1,
     "textcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-198",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      3110.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      322.0,
      292.0,
      60.0,
      20.0
     ],
     "text": "Clip",
     "fontsize": 13.0,
     "fontface": 1,
     "textcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-199",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      260.0,
      3110.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      12.0,
      8.0,
      120.0,
      22.0
     ],
     "text": "VocalDM Live",
     "fontsize": 13.0,
     "fontface": 1,
     "textcolor": [
      0.18,
      0.44,
      0.69,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-200",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      500.0,
      3110.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      190.0,
      162.0,
      20.0,
      22.0
     ],
     "text": "s",
     "fontsize": 10.0,
     "fontface": 0,
     "textcolor": [
      0.38,
      0.38,
      0.38,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-201",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      740.0,
      3110.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      88.0,
      212.0,
      124.0,
      44.0
     ],
     "text": "drop a sound file: it becomes the gesture",
     "fontsize": 10.0,
     "fontface": 0,
     "textcolor": [
      0.38,
      0.38,
      0.38,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-202",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      980.0,
      3110.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      346.0,
      140.0,
      60.0,
      20.0
     ],
     "text": "seed",
     "fontsize": 10.0,
     "fontface": 0,
     "textcolor": [
      0.38,
      0.38,
      0.38,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-203",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      20.0,
      3140.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      226.0,
      196.0,
      130.0,
      20.0
     ],
     "text": "sampler",
     "fontsize": 10.0,
     "fontface": 0,
     "textcolor": [
      0.38,
      0.38,
      0.38,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-204",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      260.0,
      3140.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      370.0,
      196.0,
      144.0,
      20.0
     ],
     "text": "words",
     "fontsize": 10.0,
     "fontface": 0,
     "textcolor": [
      0.38,
      0.38,
      0.38,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-205",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      500.0,
      3140.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      608.0,
      140.0,
      120.0,
      44.0
     ],
     "text": "drop an example: gestures take its timbre",
     "fontsize": 10.0,
     "fontface": 0,
     "textcolor": [
      0.38,
      0.38,
      0.38,
      1.0
     ]
    }
   },
   {
    "box": {
     "id": "obj-206",
     "maxclass": "comment",
     "numinlets": 1,
     "numoutlets": 0,
     "patching_rect": [
      740.0,
      3140.0,
      220.0,
      22.0
     ],
     "presentation": 1,
     "presentation_rect": [
      200.0,
      438.0,
      46.0,
      22.0
     ],
     "text": "steps",
     "fontsize": 10.0,
     "fontface": 0,
     "textcolor": [
      0.38,
      0.38,
      0.38,
      1.0
     ]
    }
   }
  ],
  "lines": [
   {
    "patchline": {
     "destination": [
      "obj-2",
      0
     ],
     "source": [
      "obj-1",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-3",
      0
     ],
     "source": [
      "obj-2",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-4",
      0
     ],
     "source": [
      "obj-2",
      1
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-5",
      0
     ],
     "source": [
      "obj-6",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-8",
      0
     ],
     "source": [
      "obj-7",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-9",
      0
     ],
     "source": [
      "obj-10",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-9",
      0
     ],
     "source": [
      "obj-11",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-12",
      0
     ],
     "source": [
      "obj-9",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-13",
      0
     ],
     "source": [
      "obj-9",
      1
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-14",
      0
     ],
     "source": [
      "obj-9",
      2
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-15",
      0
     ],
     "source": [
      "obj-9",
      3
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-16",
      0
     ],
     "source": [
      "obj-9",
      4
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-17",
      0
     ],
     "source": [
      "obj-9",
      5
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-18",
      0
     ],
     "source": [
      "obj-9",
      6
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-19",
      0
     ],
     "source": [
      "obj-9",
      7
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-20",
      0
     ],
     "source": [
      "obj-9",
      8
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-22",
      0
     ],
     "source": [
      "obj-21",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-24",
      0
     ],
     "source": [
      "obj-23",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-26",
      0
     ],
     "source": [
      "obj-25",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-28",
      0
     ],
     "source": [
      "obj-27",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-30",
      0
     ],
     "source": [
      "obj-29",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-31",
      0
     ],
     "source": [
      "obj-30",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-33",
      0
     ],
     "source": [
      "obj-32",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-34",
      0
     ],
     "source": [
      "obj-33",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-35",
      0
     ],
     "source": [
      "obj-34",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-36",
      0
     ],
     "source": [
      "obj-33",
      2
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-37",
      0
     ],
     "source": [
      "obj-36",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-39",
      0
     ],
     "source": [
      "obj-38",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-40",
      0
     ],
     "source": [
      "obj-39",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-41",
      0
     ],
     "source": [
      "obj-40",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-42",
      0
     ],
     "source": [
      "obj-39",
      1
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-43",
      0
     ],
     "source": [
      "obj-42",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-44",
      0
     ],
     "source": [
      "obj-39",
      2
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-45",
      0
     ],
     "source": [
      "obj-44",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-47",
      0
     ],
     "source": [
      "obj-46",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-49",
      0
     ],
     "source": [
      "obj-48",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-50",
      0
     ],
     "source": [
      "obj-49",
      1
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-51",
      0
     ],
     "source": [
      "obj-50",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-52",
      0
     ],
     "source": [
      "obj-51",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-53",
      0
     ],
     "source": [
      "obj-52",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-54",
      0
     ],
     "source": [
      "obj-51",
      1
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-55",
      0
     ],
     "source": [
      "obj-54",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-56",
      0
     ],
     "source": [
      "obj-49",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-57",
      0
     ],
     "source": [
      "obj-56",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-59",
      0
     ],
     "source": [
      "obj-58",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-62",
      0
     ],
     "source": [
      "obj-61",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-63",
      0
     ],
     "source": [
      "obj-62",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-64",
      0
     ],
     "source": [
      "obj-61",
      1
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-65",
      0
     ],
     "source": [
      "obj-64",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-67",
      0
     ],
     "source": [
      "obj-66",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-68",
      0
     ],
     "source": [
      "obj-67",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-70",
      0
     ],
     "source": [
      "obj-69",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-71",
      0
     ],
     "source": [
      "obj-70",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-72",
      0
     ],
     "source": [
      "obj-71",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-73",
      0
     ],
     "source": [
      "obj-72",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-74",
      0
     ],
     "source": [
      "obj-73",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-75",
      0
     ],
     "source": [
      "obj-76",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-75",
      1
     ],
     "source": [
      "obj-77",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-77",
      0
     ],
     "source": [
      "obj-78",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-79",
      0
     ],
     "source": [
      "obj-75",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-80",
      0
     ],
     "source": [
      "obj-79",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-82",
      0
     ],
     "source": [
      "obj-81",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-83",
      0
     ],
     "source": [
      "obj-82",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-84",
      0
     ],
     "source": [
      "obj-83",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-85",
      0
     ],
     "source": [
      "obj-83",
      2
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-87",
      0
     ],
     "source": [
      "obj-86",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-88",
      0
     ],
     "source": [
      "obj-87",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-89",
      0
     ],
     "source": [
      "obj-88",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-91",
      0
     ],
     "source": [
      "obj-90",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-93",
      0
     ],
     "source": [
      "obj-92",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-94",
      0
     ],
     "source": [
      "obj-93",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-95",
      0
     ],
     "source": [
      "obj-94",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-90",
      0
     ],
     "source": [
      "obj-95",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-97",
      0
     ],
     "source": [
      "obj-96",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-99",
      0
     ],
     "source": [
      "obj-98",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-100",
      0
     ],
     "source": [
      "obj-99",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-101",
      0
     ],
     "source": [
      "obj-100",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-96",
      0
     ],
     "source": [
      "obj-101",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-103",
      0
     ],
     "source": [
      "obj-102",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-105",
      0
     ],
     "source": [
      "obj-104",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-106",
      0
     ],
     "source": [
      "obj-105",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-107",
      0
     ],
     "source": [
      "obj-106",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-102",
      0
     ],
     "source": [
      "obj-107",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-109",
      0
     ],
     "source": [
      "obj-108",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-111",
      0
     ],
     "source": [
      "obj-110",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-112",
      0
     ],
     "source": [
      "obj-111",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-113",
      0
     ],
     "source": [
      "obj-112",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-108",
      0
     ],
     "source": [
      "obj-113",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-115",
      0
     ],
     "source": [
      "obj-114",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-117",
      0
     ],
     "source": [
      "obj-116",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-118",
      0
     ],
     "source": [
      "obj-117",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-119",
      0
     ],
     "source": [
      "obj-118",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-114",
      0
     ],
     "source": [
      "obj-119",
      1
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-121",
      0
     ],
     "source": [
      "obj-120",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-123",
      0
     ],
     "source": [
      "obj-122",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-124",
      0
     ],
     "source": [
      "obj-123",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-125",
      0
     ],
     "source": [
      "obj-124",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-120",
      0
     ],
     "source": [
      "obj-125",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-127",
      0
     ],
     "source": [
      "obj-126",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-129",
      0
     ],
     "source": [
      "obj-128",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-130",
      0
     ],
     "source": [
      "obj-129",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-131",
      0
     ],
     "source": [
      "obj-130",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-126",
      0
     ],
     "source": [
      "obj-131",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-133",
      0
     ],
     "source": [
      "obj-132",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-135",
      0
     ],
     "source": [
      "obj-134",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-136",
      0
     ],
     "source": [
      "obj-135",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-137",
      0
     ],
     "source": [
      "obj-136",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-132",
      0
     ],
     "source": [
      "obj-137",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-139",
      0
     ],
     "source": [
      "obj-138",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-140",
      0
     ],
     "source": [
      "obj-139",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-141",
      0
     ],
     "source": [
      "obj-140",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-143",
      0
     ],
     "source": [
      "obj-142",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-145",
      0
     ],
     "source": [
      "obj-144",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-146",
      0
     ],
     "source": [
      "obj-145",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-147",
      0
     ],
     "source": [
      "obj-146",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-142",
      0
     ],
     "source": [
      "obj-147",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-149",
      0
     ],
     "source": [
      "obj-148",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-150",
      0
     ],
     "source": [
      "obj-149",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-151",
      0
     ],
     "source": [
      "obj-150",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-153",
      0
     ],
     "source": [
      "obj-152",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-155",
      0
     ],
     "source": [
      "obj-154",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-156",
      0
     ],
     "source": [
      "obj-155",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-157",
      0
     ],
     "source": [
      "obj-156",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-158",
      0
     ],
     "source": [
      "obj-157",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-159",
      0
     ],
     "source": [
      "obj-158",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-152",
      0
     ],
     "source": [
      "obj-159",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-161",
      0
     ],
     "source": [
      "obj-160",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-162",
      0
     ],
     "source": [
      "obj-161",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-163",
      0
     ],
     "source": [
      "obj-162",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-165",
      0
     ],
     "source": [
      "obj-164",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-166",
      0
     ],
     "source": [
      "obj-165",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-168",
      0
     ],
     "source": [
      "obj-167",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-169",
      0
     ],
     "source": [
      "obj-168",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-171",
      0
     ],
     "source": [
      "obj-170",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-172",
      0
     ],
     "source": [
      "obj-171",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-174",
      0
     ],
     "source": [
      "obj-173",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-175",
      0
     ],
     "source": [
      "obj-174",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-177",
      0
     ],
     "source": [
      "obj-176",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-178",
      0
     ],
     "source": [
      "obj-177",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-180",
      0
     ],
     "source": [
      "obj-179",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-181",
      0
     ],
     "source": [
      "obj-180",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-182",
      0
     ],
     "source": [
      "obj-183",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-182",
      1
     ],
     "source": [
      "obj-184",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-184",
      0
     ],
     "source": [
      "obj-185",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-186",
      0
     ],
     "source": [
      "obj-182",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-187",
      0
     ],
     "source": [
      "obj-186",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-189",
      0
     ],
     "source": [
      "obj-188",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-190",
      0
     ],
     "source": [
      "obj-189",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-191",
      0
     ],
     "source": [
      "obj-188",
      0
     ]
    }
   },
   {
    "patchline": {
     "destination": [
      "obj-192",
      0
     ],
     "source": [
      "obj-191",
      0
     ]
    }
   }
  ],
  "dependency_cache": [],
  "autosave": 0
 }
}
